// Whole calls: few channels cell by cell, many channels in groups of eight lanes, one or two exact channels alone.

struct SosCall {
    const SosJob& job;
    const SosPlan& plan;
    Loader load;
    Storer store;
    std::int64_t channels;
    std::int64_t states;  // of a channel
    std::int64_t row;     // elements from one sample to the next
};

static std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

static std::int64_t steps(std::int64_t count, std::int64_t step) { return (count + step - 1) / step; }

// State number i of a channel, in a caller's (sections, 2, channels).
static double& at(const SosCall& c, double* states, std::int64_t i, std::int64_t channel) { return states[i * c.channels + channel]; }

static double* starts_of(const SosCall& c, std::int64_t cell) { return c.job.starts + cell * c.states * c.channels; }

static bool survives(const SosJob& job) { return job.out.data != nullptr && job.task != SosTask::survey; }

// Few channels

static void load_cell(const SosCall& c, Cell& cell, std::int64_t number, std::int64_t next, std::int64_t channel) {
    const std::int64_t first = number * sos_cell, place = first * c.channels + channel;
    const std::int64_t soon = (next * c.channels + channel) * sos_cell;  // this channel's share of the lines of all
    cell.count = least(sos_cell, c.job.in.count - first);
    cell.in_rows = cell.count == sos_cell && c.load.blocks(c.job.in.data, place, soon, c.channels, cell.rows);
    if (survives(c.job)) {
        const auto size = static_cast<std::int64_t>(item_size(c.job.out.type));
        cell.soon = static_cast<const char*>(c.job.out.data) + (number * c.channels + channel) * sos_cell * size;
        cell.soon_bytes = sos_cell * size;
    }
    if (!cell.in_rows) c.load.line(c.job.in.data, place, c.channels, cell.count, cell.line);
}

static void store_cell(const SosCall& c, const Cell& cell, std::int64_t number, std::int64_t channel) {
    const std::int64_t place = number * sos_cell * c.channels + channel;
    if (cell.in_rows)
        c.store.blocks(c.job.out.data, place, c.channels, cell.rows);
    else
        c.store.line(c.job.out.data, place, c.channels, cell.count, cell.line);
}

static void run_few(const SosCall& c, double* workspace) {
    const SosTask task = c.job.task;
    const bool falling = task == SosTask::backward || task == SosTask::both;
    const std::int64_t cells = steps(c.job.in.count, sos_cell);
    double* state = workspace;                    // of one channel after the other
    double* start = state + c.channels * c.plan.padded;
    Cell cell = cell_at(c.plan, start + c.plan.padded);
    for (std::int64_t ch = 0; ch < c.channels; ++ch)
        for (std::int64_t i = 0; i < c.states; ++i) state[ch * c.plan.padded + i] = at(c, c.job.state, i, ch);
    for (std::int64_t k = 0; k < cells; ++k) {
        const std::int64_t number = falling ? cells - 1 - k : k;
        const std::int64_t next = k + 1 == cells ? number : falling ? number - 1 : number + 1;
        for (std::int64_t ch = 0; ch < c.channels; ++ch) {
            double* carried = state + ch * c.plan.padded;
            if (task == SosTask::survey)
                for (std::int64_t i = 0; i < c.states; ++i) at(c, starts_of(c, number), i, ch) = carried[i];
            load_cell(c, cell, number, next, ch);
            if (task == SosTask::both) {
                for (std::int64_t i = 0; i < c.states; ++i) start[i] = at(c, starts_of(c, number), i, ch);
                filter_cell(c.plan, cell, false, false, start);
            }
            filter_cell(c.plan, cell, falling, !survives(c.job), carried);
            if (survives(c.job)) store_cell(c, cell, number, ch);
        }
    }
    for (std::int64_t ch = 0; ch < c.channels; ++ch)
        for (std::int64_t i = 0; i < c.states; ++i) at(c, c.job.state, i, ch) = state[ch * c.plan.padded + i];
}

// Many channels: group g holds channels [first_of(g), first_of(g) + R). The last group begins early rather than being short; what it has
// in common with the one before gets the same bytes twice.

template <int R>
static std::int64_t groups_of(const SosCall& c) {
    return R == 1 ? c.channels : steps(c.channels, R);
}

template <int R>
static std::int64_t first_of(const SosCall& c, std::int64_t group) {
    return R == 1 || c.channels < R ? group : least(group * R, c.channels - R);
}

template <int R>
static void read_state(const SosCall& c, double* from, std::int64_t group, double* state) {
    for (std::int64_t i = 0; i < c.states; ++i)
        for (int l = 0; l < R; ++l) state[i * R + l] = at(c, from, i, least(first_of<R>(c, group) + l, c.channels - 1));
}

template <int R>
static void write_state(const SosCall& c, double* to, std::int64_t group, const double* state) {
    for (std::int64_t i = 0; i < c.states; ++i)
        for (int l = 0; l < R && first_of<R>(c, group) + l < c.channels; ++l) at(c, to, i, first_of<R>(c, group) + l) = state[i * R + l];
}

template <int R>
static void load_rows(const SosCall& c, std::int64_t group, std::int64_t sample, std::int64_t count, double* rows) {
    const std::int64_t place = sample * c.row + first_of<R>(c, group);
    if constexpr (R == 1)
        c.load.line(c.job.in.data, place, c.row, count, rows);
    else
        c.load.channels(c.job.in.data, place, c.row, count, rows);
}

template <int R>
static void store_rows(const SosCall& c, std::int64_t group, std::int64_t sample, std::int64_t count, const double* rows) {
    const std::int64_t place = sample * c.row + first_of<R>(c, group);
    if constexpr (R == 1)
        c.store.line(c.job.out.data, place, c.row, count, rows);
    else
        c.store.channels(c.job.out.data, place, c.row, count, rows);
}

// The rows of one block; the state is flushed where the grid says, so that silence does not become slow.
template <int R>
static void filter_block(const SosCall& c, double* rows, std::int64_t count, bool backward, double* state) {
    run_rows<R>(c.plan, rows + (backward ? count - 1 : 0) * R, count, backward ? -R : R, state);
    if (!c.plan.exact) flush_states(state, c.states * R);
}

// Forward, backward, survey: block by block, in each block group by group, so that what is read stays near.
template <int R>
static void run_once(const SosCall& c, double* workspace) {
    const bool backward = c.job.task == SosTask::backward;
    const std::int64_t groups = groups_of<R>(c), blocks = steps(c.job.in.count, sos_block), size = c.states * R;
    double* rows = workspace;
    double* states = rows + sos_block * R;
    for (std::int64_t g = 0; g < groups; ++g) read_state<R>(c, c.job.state, g, states + g * size);
    for (std::int64_t b = 0; b < blocks; ++b) {
        const std::int64_t sample = (backward ? blocks - 1 - b : b) * sos_block, count = least(sos_block, c.job.in.count - sample);
        for (std::int64_t g = 0; g < groups; ++g) {
            double* state = states + g * size;
            if (c.job.task == SosTask::survey && sample % sos_cell == 0) write_state<R>(c, starts_of(c, sample / sos_cell), g, state);
            load_rows<R>(c, g, sample, count, rows);
            filter_block<R>(c, rows, count, backward, state);
            if (survives(c.job)) store_rows<R>(c, g, sample, count, rows);
        }
    }
    for (std::int64_t g = 0; g < groups; ++g) write_state<R>(c, c.job.state, g, states + g * size);
}

// Forward and backward: cell by cell, and in each a few groups at a time, as many as the second cache holds the forward output of.
template <int R>
static void run_both(const SosCall& c, double* workspace) {
    const std::int64_t groups = groups_of<R>(c), cells = steps(c.job.in.count, sos_cell), size = c.states * R;
    double* rows = workspace;  // (sos_groups_at_once, sos_cell, R)
    double* start = rows + sos_groups_at_once * sos_cell * R;
    double* ahead = start + sos_groups_at_once * size;
    for (std::int64_t k = cells; k-- > 0;) {
        const std::int64_t first = k * sos_cell, last = least(first + sos_cell, c.job.in.count), blocks = steps(last - first, sos_block);
        for (std::int64_t g0 = 0; g0 < groups; g0 += sos_groups_at_once) {
            const std::int64_t g_count = least(sos_groups_at_once, groups - g0);
            for (std::int64_t g = 0; g < g_count; ++g) read_state<R>(c, starts_of(c, k), g0 + g, start + g * size);
            for (std::int64_t b = 0; b < blocks; ++b)
                for (std::int64_t g = 0; g < g_count; ++g) {
                    const std::int64_t sample = first + b * sos_block, count = least(sos_block, last - sample);
                    double* block = rows + (g * sos_cell + b * sos_block) * R;
                    load_rows<R>(c, g0 + g, sample, count, block);
                    filter_block<R>(c, block, count, false, start + g * size);
                }
            for (std::int64_t g = 0; g < g_count; ++g) read_state<R>(c, c.job.state, g0 + g, ahead + (g0 + g) * size);
            for (std::int64_t b = blocks; b-- > 0;)
                for (std::int64_t g = 0; g < g_count; ++g) {
                    const std::int64_t sample = first + b * sos_block, count = least(sos_block, last - sample);
                    double* block = rows + (g * sos_cell + b * sos_block) * R;
                    filter_block<R>(c, block, count, true, ahead + (g0 + g) * size);
                    store_rows<R>(c, g0 + g, sample, count, block);
                }
        }
        // Only now: the last group has channels in common with the one before, which must start from the same state.
        for (std::int64_t g = 0; g < groups; ++g) write_state<R>(c, c.job.state, g, ahead + g * size);
    }
}

template <int R>
static void run_many(const SosCall& c, double* workspace) {
    if (c.job.task == SosTask::both)
        run_both<R>(c, workspace);
    else
        run_once<R>(c, workspace);
}

// Up to here one exact channel after the other takes less time than eight lanes that are mostly empty.
static constexpr std::int64_t most_alone = 2;

static std::int64_t sos_workspace(const SosPlan& plan, std::int64_t channels, SosTask task) {
    if (!plan.exact && channels < sos_lanes) return (channels + 1) * plan.padded + cell_doubles(plan);
    const std::int64_t row = channels <= most_alone ? 1 : sos_lanes, states = steps(channels, row) * row * 2 * plan.sections;
    if (task != SosTask::both) return sos_block * row + states;
    return sos_groups_at_once * row * (sos_cell + 2 * plan.sections) + states;
}

static void sos_run(const SosJob& job, double* workspace) {
    const SosPlan& plan = *job.plan;
    const SosCall call{job, plan, loader_for(job.in.type), storer_for(job.out.type), job.in.channels, 2 * plan.sections,
                       job.row == 0 ? job.in.channels : job.row};
    if (!plan.exact && call.channels < sos_lanes) return run_few(call, workspace);
    if (call.channels <= most_alone) return run_many<1>(call, workspace);
    run_many<lanes_of_row>(call, workspace);
}
