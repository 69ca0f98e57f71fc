// Polyphase filtering by direct evaluation. A lane is a channel, or where there are few of them a stretch of one channel; stretches are
// whole periods of `up` outputs, so that all lanes are in the same phase and share its taps.

// What W lanes read and write: lane l begins `step` outputs after the one before, in channel c + l * apart.
struct ResampleLanes {
    std::int64_t first = 0;  // output of lane 0, counted from that of the signal
    std::int64_t step = 0;   // whole periods
    std::int64_t c = 0;
    int apart = 0;
    int width = 0;  // lanes that exist
};

// Input samples from, from + 1, ... of lane 0, and those of the other lanes beside them; what does not exist is zero.
template <int W, class S>
static void load_lanes(const ConstSamples& in, const ResampleLanes& lanes, std::int64_t lane_step, std::int64_t from, std::int64_t count,
                       double* rows) {
    const std::int64_t channels = in.channels, at = from - in.start;
    const S* base = static_cast<const S*>(in.data) + lanes.c;
    const bool inside = at >= 0 && at + (lanes.width - 1) * lane_step + count <= in.count;
    if (inside && lanes.width == W && lanes.apart == 1) {
        const S* p = base + at * channels;
        for (std::int64_t i = 0; i < count; ++i, p += channels) store_row<W>(rows + i * W, load_convert<W, S>(p));
        return;
    }
    std::int64_t i = 0;
    if (inside && lanes.width == W && channels == 1)
        for (; i + W <= count; i += W) {
            typename Lanes<W>::V v[W];
            for (int l = 0; l < W; ++l) v[l] = load_convert<W, S>(base + at + l * lane_step + i);
            transpose<W>(v);
            for (int l = 0; l < W; ++l) store_row<W>(rows + (i + l) * W, v[l]);
        }
    for (; i < count; ++i)
        for (int l = 0; l < W; ++l) {
            const std::int64_t place = at + l * lane_step + i;
            const bool exists = l < lanes.width && place >= 0 && place < in.count;
            rows[i * W + l] = exists ? static_cast<double>(base[place * channels + l * lanes.apart]) : 0.0;
        }
}

template <int W>
static void load_lanes_any(const ConstSamples& in, const ResampleLanes& lanes, std::int64_t lane_step, std::int64_t from,
                           std::int64_t count, double* rows) {
    switch (in.type) {
        case SampleType::i8: return load_lanes<W, std::int8_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::u8: return load_lanes<W, std::uint8_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::i16: return load_lanes<W, std::int16_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::u16: return load_lanes<W, std::uint16_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::i32: return load_lanes<W, std::int32_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::u32: return load_lanes<W, std::uint32_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::i64: return load_lanes<W, std::int64_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::u64: return load_lanes<W, std::uint64_t>(in, lanes, lane_step, from, count, rows);
        case SampleType::f32: return load_lanes<W, float>(in, lanes, lane_step, from, count, rows);
        default: return load_lanes<W, double>(in, lanes, lane_step, from, count, rows);
    }
}

template <int W, class D>
static void store_lanes(const Samples& out, const ResampleLanes& lanes, std::int64_t first, std::int64_t count, const double* y) {
    const std::int64_t channels = out.channels, at = first - out.start;
    D* base = static_cast<D*>(out.data) + lanes.c;
    std::int64_t i = 0;
    if (lanes.width == W && lanes.apart == 1)
        for (; i < count; ++i) convert_store<W, D>(base + (at + i) * channels, load_row<W>(y + i * W));
    if (lanes.width == W && channels == 1)
        for (; i + W <= count; i += W) {
            typename Lanes<W>::V v[W];
            for (int l = 0; l < W; ++l) v[l] = load_row<W>(y + (i + l) * W);
            transpose<W>(v);
            for (int l = 0; l < W; ++l) convert_store<W, D>(base + at + l * lanes.step + i, v[l]);
        }
    for (; i < count; ++i)
        for (int l = 0; l < lanes.width; ++l)
            base[(at + l * lanes.step + i) * channels + l * lanes.apart] = static_cast<D>(y[i * W + l]);
}

// The next R outputs of all lanes. `newest` is the last input that the first of them needs, `phase` its row of taps.
template <int W, int R>
HEADRACE_INLINE void evaluate(const ResampleJob& job, const double* rows, std::int64_t& newest, std::int64_t& phase, double* y) {
    using V = typename Lanes<W>::V;
    V sums[R] = {};
    const double* taps[R];
    const double* from[R];
    bool longer[R];  // some phases have a tap less than the others
    const std::int64_t whole = job.down / job.up, rest = job.down % job.up;
    for (int r = 0; r < R; ++r) {
        taps[r] = job.phases + phase * job.columns;
        from[r] = rows + newest * W;
        longer[r] = phase + (job.columns - 1) * job.up < job.taps;
        newest += whole;
        phase += rest;
        if (phase >= job.up) {
            phase -= job.up;
            ++newest;
        }
    }
#pragma GCC unroll 1  // GCC else joins several j, and the sums no longer fit the registers
    for (std::int64_t j = 0; j + 1 < job.columns; ++j)
        for (int r = 0; r < R; ++r) sums[r] = sums[r] + load_row<W>(from[r] - j * W) * taps[r][j];
    const std::int64_t last = job.columns - 1;
    // One bit pattern for NaN: which operand's a sum of two keeps is the compiler's choice.
    const V undefined = V{} + __builtin_nan("");
    for (int r = 0; r < R; ++r) {
        if (longer[r]) sums[r] = sums[r] + load_row<W>(from[r] - last * W) * taps[r][last];
        store_row<W>(y + r * W, sums[r] == sums[r] ? sums[r] : undefined);
    }
}

// `count` outputs of every lane.
template <int W>
static void resample_lanes(const ResampleJob& job, const ResampleLanes& lanes, std::int64_t count) {
    constexpr int R = 8;
    const std::int64_t tile = resample_tile(job.columns, job.up, job.down), reach = job.columns - 1;
    double* rows = job.scratch;
    double* y = rows + resample_rows(tile, job.columns, job.up, job.down) * W;
    for (std::int64_t done = 0; done < count; done += tile) {
        const std::int64_t n = count - done < tile ? count - done : tile, first = lanes.first + done;
        const std::int64_t place = first * job.down + job.delay, last = place + (n - 1) * job.down;
        const std::int64_t oldest = place / job.up - reach;
        load_lanes_any<W>(job.in, lanes, lanes.step / job.up * job.down, oldest, last / job.up - oldest + 1, rows);
        std::int64_t newest = reach, phase = place % job.up, i = 0;
        for (; i + R <= n; i += R) evaluate<W, R>(job, rows, newest, phase, y + i * W);
        for (; i < n; ++i) evaluate<W, 1>(job, rows, newest, phase, y + i * W);
        if (job.out.type == SampleType::f32)
            store_lanes<W, float>(job.out, lanes, first, n, y);
        else
            store_lanes<W, double>(job.out, lanes, first, n, y);
    }
}

static void resample(const ResampleJob& job) {
    constexpr int W = HEADRACE_MAX_LANES;
    const std::int64_t channels = job.in.channels, start = job.out.start, count = job.out.count;
    if (channels >= W) {
        for (std::int64_t c = 0; c < channels; c += W) {
            const int width = channels - c < W ? static_cast<int>(channels - c) : W;
            resample_lanes<W>(job, {start, 0, c, 1, width}, count);
        }
        return;
    }
    const std::int64_t step = count / W / job.up * job.up;
    for (std::int64_t c = 0; c < channels; ++c) {
        if (step > 0) resample_lanes<W>(job, {start, step, c, 0, W}, step);
        resample_lanes<1>(job, {start + W * step, 0, c, 0, 1}, count - W * step);
    }
}
