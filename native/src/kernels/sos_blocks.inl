// A cell of one channel as eight blocks side by side. A block's end state is A^m times its start state, plus what its samples leave
// behind: inner products with the state's response to an impulse. So all start states are known before the recurrence runs, once.

// Below this a state is no part of any sum that matters, and its decay through the denormal numbers would be slow.
static constexpr double least_state = 0x1p-1000;

HEADRACE_INLINE double flushed(double z) { return z < least_state && z > -least_state ? 0.0 : z; }

static void flush_states(double* state, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) state[i] = flushed(state[i]);
}

// N states of eight blocks, oldest sample first: end += response * sample, in two sums, which hide each other's latency. `row` is the
// oldest sample's; `soon`: what will be written after this.
template <int N>
static void project(const SosPlan& plan, const double* row, std::int64_t step, std::int64_t first, double* ends, const char* soon,
                    std::int64_t bytes) {
    using V = typename Lanes<native_width>::V;
    constexpr int H = lanes_of_row / native_width;
    V even[N][H] = {}, odd[N][H] = {};
    const double* response = plan.response + first;
    std::int64_t k = 0;
    for (; k + 2 <= plan.memory; k += 2, row += 2 * step, response += 2 * plan.padded) {
        ask_for<1>(soon, k / 2, bytes);
        V x[H], next[H];
#pragma GCC unroll 8
        for (int h = 0; h < H; ++h) {
            x[h] = load_row<native_width>(row + h * native_width);
            next[h] = load_row<native_width>(row + step + h * native_width);
        }
#pragma GCC unroll 8
        for (int i = 0; i < N; ++i) {
            const V a = all<V>(response[i]), b = all<V>(response[plan.padded + i]);
#pragma GCC unroll 8
            for (int h = 0; h < H; ++h) {
                even[i][h] = fused<V>(a, x[h], even[i][h]);
                odd[i][h] = fused<V>(b, next[h], odd[i][h]);
            }
        }
    }
    if (k < plan.memory)
        for (int i = 0; i < N; ++i)
            for (int h = 0; h < H; ++h)
                even[i][h] = fused<V>(all<V>(response[i]), load_row<native_width>(row + h * native_width), even[i][h]);
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i)
#pragma GCC unroll 8
        for (int h = 0; h < H; ++h) store_row<native_width>(ends + (first + i) * lanes_of_row + h * native_width, even[i][h] + odd[i][h]);
}

// What the samples of each block leave in its end state: ends, (2 sections, 8).
static void project_blocks(const SosPlan& plan, const double* rows, bool backward, double* ends, const char* soon, std::int64_t bytes) {
    constexpr int at_once = native_width == 8 ? 8 : native_width == 4 ? 3 : 1;  // as many as the registers hold
    const std::int64_t states = 2 * plan.sections, step = backward ? -lanes_of_row : lanes_of_row;
    const double* row = rows + (backward ? plan.memory - 1 : sos_block - plan.memory) * lanes_of_row;
    std::int64_t i = 0;
    for (; i + at_once <= states; i += at_once) project<at_once>(plan, row, step, i, ends, soon, i == 0 ? bytes : 0);
    for (; i + 2 <= states; i += 2) project<2>(plan, row, step, i, ends, soon, i == 0 ? bytes : 0);
    for (; i < states; ++i) project<1>(plan, row, step, i, ends, soon, i == 0 ? bytes : 0);
}

// next = power * state + left, in chunks of eight states; `left` lies `lanes_of_row` apart.
static void carry(const SosPlan& plan, const double* state, const double* left, double* next) {
    using V = typename Lanes<native_width>::V;
    const std::int64_t states = 2 * plan.sections;
    for (std::int64_t first = 0; first < states; first += 8) {
        const std::int64_t here = states - first < 8 ? states - first : 8;
        alignas(64) double gathered[8] = {};
        for (std::int64_t i = 0; i < here; ++i) gathered[i] = left[(first + i) * lanes_of_row];
        V even[8 / native_width], odd[8 / native_width] = {};
        for (int h = 0; h < 8 / native_width; ++h) even[h] = load_row<native_width>(gathered + h * native_width);
        // Sections do not act backwards: the columns after these rows are zero.
        for (std::int64_t j = 0; j < first + here; j += 2) {
            const double* column = plan.power + j * plan.padded + first;
            const V a = all<V>(state[j]), b = all<V>(state[j + 1]);
            for (int h = 0; h < 8 / native_width; ++h) {
                const int at = h * native_width;
                even[h] = fused<V>(a, *reinterpret_cast<const typename Lanes<native_width>::Unaligned*>(column + at), even[h]);
                odd[h] = fused<V>(
                    b, *reinterpret_cast<const typename Lanes<native_width>::Unaligned*>(column + plan.padded + at), odd[h]);
            }
        }
        for (int h = 0; h < 8 / native_width; ++h) store_row<native_width>(gathered + h * native_width, even[h] + odd[h]);
        for (std::int64_t i = 0; i < here; ++i) next[first + i] = flushed(gathered[i]);
    }
}

static bool all_finite(const double* values, std::int64_t count) {
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += values[i] - values[i];
    return sum == 0;
}

// What one channel's cell is worked on in. The samples stand in `rows`, eight blocks side by side, or in `line`, one after the other.
struct Cell {
    double* rows;    // (sos_block, 8)
    double* line;    // (sos_cell)
    double* starts;  // (2 sections, 8): the blocks' states
    double* ends;    // (2 sections, 8)
    double* states;  // (9, padded)
    std::int64_t count;
    bool in_rows;
    const char* soon;    // what will be written when it is done
    std::int64_t soon_bytes;
};

static std::int64_t cell_doubles(const SosPlan& plan) { return 2 * sos_cell + 16 * plan.padded + 9 * plan.padded; }

static Cell cell_at(const SosPlan& plan, double* memory) {
    Cell cell;
    cell.rows = memory;
    cell.line = cell.rows + sos_cell;
    cell.starts = cell.line + sos_cell;
    cell.ends = cell.starts + 8 * plan.padded;
    cell.states = cell.ends + 8 * plan.padded;
    cell.count = 0;
    cell.in_rows = false;
    cell.soon = nullptr;
    cell.soon_bytes = 0;
    return cell;
}

// The states at the start of every block and after the last; false if one is not finite.
static bool find_states(const SosPlan& plan, const Cell& cell, bool backward, const double* state) {
    const std::int64_t states = 2 * plan.sections;
    for (std::int64_t i = 0; i < states; ++i) cell.states[i] = state[i];
    if (!all_finite(state, states)) return false;
    project_blocks(plan, cell.rows, backward, cell.ends, cell.soon, cell.soon_bytes);
    for (int b = 0; b < lanes_of_row; ++b)
        carry(plan, cell.states + b * plan.padded, cell.ends + (backward ? lanes_of_row - 1 - b : b),
              cell.states + (b + 1) * plan.padded);
    for (int b = 1; b <= lanes_of_row; ++b)
        if (!all_finite(cell.states + b * plan.padded, states)) return false;
    return true;
}

// A cell from `state` on, which becomes the state after it. A short cell, and one where something is not finite, is filtered sample by
// sample: there a NaN reaches what it reaches in sosfilt. `silent`: only the state is wanted.
static void filter_cell(const SosPlan& plan, Cell& cell, bool backward, bool silent, double* state) {
    const std::int64_t states = 2 * plan.sections;
    if (!cell.in_rows && cell.count == sos_cell) cell.in_rows = load_blocks<double>(cell.line, 0, 0, 1, cell.rows);
    if (cell.in_rows && find_states(plan, cell, backward, state)) {
        for (std::int64_t i = 0; i < states; ++i) state[i] = cell.states[lanes_of_row * plan.padded + i];
        if (silent) return;
        for (int b = 0; b < lanes_of_row; ++b)
            for (std::int64_t i = 0; i < states; ++i)
                cell.starts[i * lanes_of_row + (backward ? lanes_of_row - 1 - b : b)] = cell.states[b * plan.padded + i];
        double* row = cell.rows + (backward ? sos_block - 1 : 0) * lanes_of_row;
        run_rows<lanes_of_row>(plan, row, sos_block, backward ? -lanes_of_row : lanes_of_row, cell.starts);
        return;
    }
    if (cell.in_rows) store_blocks<double>(cell.line, 0, 1, cell.rows);
    cell.in_rows = false;
    run_rows<1>(plan, cell.line + (backward ? cell.count - 1 : 0), cell.count, backward ? -1 : 1, state);
    flush_states(state, states);
}
