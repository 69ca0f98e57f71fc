// Overlap-save over groups of W streams: pack and first passes tile by tile, the depth-first middle, last passes and unpack.

template <int W>
struct Ports {
    Port<W> in_re, in_im, out_re, out_im;
    std::int64_t stream[W];
};

template <int W>
struct Group {
    const FirJob& job;
    const FirPlan& plan;
    Layout at;
    double* rows;
    Packer<W> pack;
    Unpacker<W> unpack;
    bool has_im;
    bool joint;  // the two components of the input are one complex sample
    Ports<W> now, next;
    bool marked[W];
};

static inline std::int64_t clamp(std::int64_t v, std::int64_t lo, std::int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

// One lane of a port: rows 0, 1, ... of the transform are samples `start`, start + 1, ... of a channel.
template <int W>
static void aim(Port<W>& port, int lane, std::int64_t start, std::int64_t lo, std::int64_t hi, std::int64_t array_start,
                std::int64_t channels, std::int64_t channel, int parts, int part, std::int64_t rows) {
    port.offset[lane] = ((start - array_start) * channels + channel) * parts + part;
    port.first[lane] = clamp(lo - start, 0, rows);
    port.last[lane] = clamp(hi - start, port.first[lane], rows);
    port.stride = channels * parts;
}

// A group short of streams repeats its last one: the duplicate lanes compute and store the same bytes.
template <int W>
static void choose_streams(const FirJob& job, std::int64_t first_stream, Ports<W>& g) {
    const FirPlan& plan = *job.plan;
    const std::int64_t length = plan.length, lead = plan.taps - 1;
    const int in_parts = is_complex(job.in.type) ? 2 : 1, out_parts = is_complex(job.out.type) ? 2 : 1;
    const std::int64_t in_hi = clamp(job.in_stop, job.in.start, job.in.start + job.in.count);
    const std::int64_t out_hi = job.out.start + job.out.count;
    for (int l = 0; l < W; ++l) {
        const std::int64_t s = first_stream + l < job.streams ? first_stream + l : job.streams - 1;
        const std::int64_t channel = s % job.in.channels, cell = job.first_cell + s / job.in.channels;
        g.stream[l] = s;
        const std::int64_t out_a = cell * plan.step * (plan.paired ? 2 : 1), out_b = plan.paired ? out_a + plan.step : out_a;
        aim(g.in_re, l, out_a + job.shift - lead, job.in.start, in_hi, job.in.start, job.in.channels, channel, in_parts, 0, length);
        aim(g.in_im, l, out_b + job.shift - lead, job.in.start, in_hi, job.in.start, job.in.channels, channel, in_parts, in_parts - 1,
            length);
        aim(g.out_re, l, out_a - lead, out_a, out_hi, job.out.start, job.in.channels, channel, out_parts, 0, length);
        aim(g.out_im, l, out_b - lead, out_b, out_hi, job.out.start, job.in.channels, channel, out_parts, out_parts - 1, length);
    }
    settle(g.in_re);
    settle(g.in_im);
    settle(g.out_re);
    settle(g.out_im);
}

template <int W>
static void pack_tile(Group<W>& g, std::int64_t r, std::int64_t count) {
    double* dst = g.rows + g.at.at(r) * Lanes<W>::row;
    const Port<W>&re = g.now.in_re, &im = g.now.in_im;
    const bool inside = r >= re.safe_first && r + count <= re.safe_last && r >= im.safe_first && r + count <= im.safe_last;
    if (inside && g.has_im) {
        const bool bad_re = g.pack.rows(g.job.in.data, re, r, count, dst);
        const bool bad_im = g.pack.rows(g.job.in.data, im, r, count, dst + W);
        if (!(bad_re || bad_im)) return;
    }
    g.pack.checked(g.job.in.data, re, im, g.has_im, g.joint, r, count, dst, g.marked);
}

// While the middle of the transform computes, a few at a time: the lines that this group will write and that the next one will read.
// Called for every leaf of the transform with its row; four leaves in turn serve the four ports.
template <int W>
struct Lookahead {
    const Group<W>& g;
    int shift;  // log2 of the leaf
    int in_size, out_size;

    explicit Lookahead(const Group<W>& group)
        : g(group),
          shift(group.plan.leaf == 4 ? 2 : 3),
          in_size(component_size(group.job.in.type)),
          out_size(component_size(group.job.out.type)) {}

    inline __attribute__((always_inline)) void operator()(std::int64_t row) const {
        const std::int64_t count = std::int64_t(4) << shift, r = row & -count;
        switch ((row >> shift) & 3) {
            case 0: return prefetch_rows<W, 0>(g.job.in.data, in_size, g.next.in_re, r, count);
            case 1: return prefetch_rows<W, 1>(g.job.out.data, out_size, g.now.out_re, r, count);
            case 2: return prefetch_rows<W, 0>(g.job.in.data, in_size, g.next.in_im, r, count);
            default: return prefetch_rows<W, 1>(g.job.out.data, out_size, g.now.out_im, r, count);
        }
    }
};

template <int W>
static void unpack_part(const Group<W>& g, const Port<W>& port, std::int64_t r, std::int64_t count, const double* src) {
    if (r >= port.any_last || r + count <= port.any_first) return;
    if (r >= port.safe_first && r + count <= port.safe_last)
        g.unpack.rows(g.job.out.data, port, r, count, src);
    else
        g.unpack.checked(g.job.out.data, port, r, count, src);
}

template <int W>
static void unpack_tile(const Group<W>& g, std::int64_t r, std::int64_t count) {
    const double* src = g.rows + g.at.at(r) * Lanes<W>::row;
    unpack_part<W>(g, g.now.out_re, r, count, src);
    unpack_part<W>(g, g.now.out_im, r, count, src + W);
}

template <int W>
static void run_group(Group<W>& g) {
    const FirPlan& plan = g.plan;
    const std::int64_t n = plan.length;
    if (n <= g.at.inner) {
        for (std::int64_t r = 0; r < n; r += tile_rows<W>) pack_tile(g, r, tile_rows<W>);
        convolve_cached<W>(plan, g.rows, 0, n, 0, Lookahead<W>(g));
        for (std::int64_t r = 0; r < n; r += tile_rows<W>) unpack_tile(g, r, tile_rows<W>);
        return;
    }
    const int depth = depth_of(g.at, n);
    const std::int64_t child = n >> (2 * depth);
    for (std::int64_t j = 0; j < child; j += tile_rows<W>) {
        for (std::int64_t c = 0; c < n; c += child) pack_tile(g, c + j, tile_rows<W>);
        down_tile<W>(plan, g.at, g.rows, n, 0, depth, j, tile_rows<W>);
    }
    for (std::int64_t c = 0; c < n; c += child)
        convolve_node<W>(plan, g.at, g.rows + g.at.at(c) * Lanes<W>::row, c, child, depth, Lookahead<W>(g));
    for (std::int64_t j = 0; j < child; j += tile_rows<W>) {
        up_tile<W>(plan, g.at, g.rows, n, 0, depth, j, tile_rows<W>);
        for (std::int64_t c = 0; c < n; c += child) unpack_tile(g, c + j, tile_rows<W>);
    }
}

// Full groups of W streams from `first` on; a rest that half the lanes hold goes there, where the workspace is smaller.
template <int W>
static void run_streams(const FirJob& job, double* workspace, std::int64_t first) {
    const bool complex_input = is_complex(job.in.type);
    Group<W> g{job,
               *job.plan,
               layout_of<W>(*job.plan),
               workspace,
               packer_for<W>(job.in.type),
               unpacker_for<W>(job.out.type),
               complex_input || job.plan->paired,
               complex_input,
               {},
               {},
               {}};
    choose_streams<W>(job, first, g.next);
    for (std::int64_t s = first; s < job.streams; s += W) {
        if constexpr (W > 1)
            if (job.streams - s <= W / 2) return run_streams<W / 2>(job, workspace, s);
        g.now = g.next;
        choose_streams<W>(job, s + W, g.next);
        for (int l = 0; l < W; ++l) g.marked[l] = false;
        run_group(g);
        for (int l = 0; l < W; ++l)
            if (g.marked[l] && s + l < job.streams) job.patch(job, g.now.stream[l]);
    }
}

template <int W>
static FirShape shape_of(const FirPlan& plan) {
    const Layout at = layout_of<W>(plan);
    return {W, at.at(plan.length) * Lanes<W>::row};
}

static FirShape fir_shape(const FirPlan& plan, int lanes) {
    if constexpr (max_lanes >= 8) if (lanes >= 8) return shape_of<8>(plan);
    if constexpr (max_lanes >= 4) if (lanes >= 4) return shape_of<4>(plan);
    return lanes >= 2 ? shape_of<2>(plan) : shape_of<1>(plan);
}

static void fir_run(const FirJob& job, int lanes, double* workspace) {
    if constexpr (max_lanes >= 8) if (lanes >= 8) return run_streams<8>(job, workspace, 0);
    if constexpr (max_lanes >= 4) if (lanes >= 4) return run_streams<4>(job, workspace, 0);
    return lanes >= 2 ? run_streams<2>(job, workspace, 0) : run_streams<1>(job, workspace, 0);
}
