// Standard deviations of windows. The windows that begin in one stretch of `size` samples all hold the last of it, the pivot: each is
// the end of that stretch and the beginning of the next, so two running sums are added and none is ever subtracted. Samples count from the
// pivot, and sums carry their rounding errors along (T. Ogita, S. M. Rump, S. Oishi, Accurate sum and dot product, 2005), so that what
// cancels in size * sum(d^2) - sum(d)^2 is known to some thirty digits.

template <class V>
struct Sums {
    V sum, sum_error, square, square_error;
};

template <class V>
HEADRACE_INLINE V added(V a, V b, V& error) {
    const V sum = a + b, part = sum - a;
    error = (a - (sum - part)) + (b - part);
    return sum;
}

template <class V>
HEADRACE_INLINE void add(Sums<V>& s, V d) {
    V error;
    s.sum = added(s.sum, d, error);
    s.sum_error = s.sum_error + error;
    const V square = d * d, square_error = fused(d, d, -square);
    s.square = added(s.square, square, error);
    s.square_error = s.square_error + (error + square_error);
}

// (size * standard deviation)^2.
template <class V>
HEADRACE_INLINE V spread(const Sums<V>& a, const Sums<V>& b, V size) {
    V error, low, square_low;
    V sum = added(a.sum, b.sum, error);
    sum = added(sum, error + (a.sum_error + b.sum_error), low);
    V square = added(a.square, b.square, error);
    square = added(square, error + (a.square_error + b.square_error), square_low);
    const V all = size * square, all_error = fused(size, square, -all) + size * square_low;
    const V mean = sum * sum, mean_error = fused(sum, sum, -mean) + (sum + sum) * low;
    return (all - mean) + (all_error - mean_error);
}

// Lanes are neighbouring channels at one place, or one channel at places that are `size` samples apart.
struct StdLanes {
    std::int64_t channel = 0;
    bool channels = false;
    int width = 0;  // lanes that exist
};

template <class V, class S>
static void read_rows(const RunningJob& job, const StdLanes& lanes, std::int64_t first, std::int64_t count, double* rows) {
    constexpr int W = sizeof(V) / 8;
    const S* base = static_cast<const S*>(job.in.data) + lanes.channel;
    const double beyond = job.beyond == nullptr ? 0 : static_cast<double>(*static_cast<const S*>(job.beyond));
    for (int l = 0; l < W; ++l) {
        if (lanes.channels && l > 0) break;
        const std::int64_t from = first + l * job.size;
        for (std::int64_t i = 0; i < count; ++i) {
            double* row = rows + i * W + l;
            const std::int64_t place = l < lanes.width ? border_place(from + i, job.n, job.border) : -1;
            const S* samples = place < 0 ? nullptr : base + (place - job.in.start) * job.in.channels;
            if (!lanes.channels)
                *row = place < 0 ? beyond : static_cast<double>(*samples);
            else if constexpr (W > 1) {
                if (place >= 0 && lanes.width == W)
                    store_row<W>(row, load_convert<W, S>(samples));
                else
                    for (int c = 0; c < W; ++c) row[c] = place < 0 || c >= lanes.width ? beyond : static_cast<double>(samples[c]);
            }
        }
    }
}

// Outputs begin + from to begin + to of every lane, where `begin` is the first whose window begins in the stretch, or those of the stretches
// after it in other lanes.
template <class V, class S, class D>
static void std_stretch(const RunningJob& job, const StdLanes& lanes, std::int64_t begin, std::int64_t from, std::int64_t to) {
    constexpr int W = sizeof(V) / 8;
    const std::int64_t size = job.size;
    double* rows = static_cast<double*>(job.scratch);
    double* sums = rows + 2 * size * W;
    read_rows<V, S>(job, lanes, begin - size / 2 + from, size - from + to - 1, rows);
    const auto row = [rows](std::int64_t i) { return load_vector<V>(rows + i * W); };
    const std::int64_t next = size - from;  // the row of the next stretch's first sample
    const V pivot = row(next - 1);
    Sums<V> ends{};
    for (std::int64_t u = size - 1; u >= from; --u) {
        add(ends, row(u - from) - pivot);
        if (u >= to) continue;
        double* kept = sums + (u - from) * 4 * W;
        store_vector<V>(kept, ends.sum);
        store_vector<V>(kept + W, ends.sum_error);
        store_vector<V>(kept + 2 * W, ends.square);
        store_vector<V>(kept + 3 * W, ends.square_error);
    }
    Sums<V> begins{};
    const double count = static_cast<double>(size);
    D* out = static_cast<D*>(job.out.data) + lanes.channel;
    const std::int64_t apart = lanes.channels ? 1 : size * job.out.channels;
    for (std::int64_t u = 0; u < to; ++u) {
        if (u >= from) {
            const double* kept = sums + (u - from) * 4 * W;
            const Sums<V> end{load_vector<V>(kept), load_vector<V>(kept + W), load_vector<V>(kept + 2 * W), load_vector<V>(kept + 3 * W)};
            double found[W];
            const V square = spread(end, begins, all<V>(count));
            __builtin_memcpy(found, &square, sizeof found);
            for (int l = 0; l < W; ++l) {
                const double y = found[l] > 0 ? __builtin_sqrt(found[l]) / count : 0.0;
                found[l] = found[l] == found[l] ? y : __builtin_nan("");
            }
            D* target = out + (begin + u - job.out.start) * job.out.channels;
            for (int l = 0; l < lanes.width; ++l) target[l * apart] = static_cast<D>(found[l]);
        }
        if (u + 1 < to) add(begins, row(next + u) - pivot);
    }
}

template <class S, class D>
static void deviations(const RunningJob& job) {
    constexpr int W = HEADRACE_MAX_LANES;
    using V = typename Lanes<W>::V;
    const std::int64_t size = job.size, channels = job.out.channels, start = job.out.start, stop = start + job.out.count;
    const bool wide = running_lanes(size) >= W;
    for (std::int64_t begin = start / size * size; begin < stop; begin += size) {
        const std::int64_t from = begin < start ? start - begin : 0, to = stop - begin < size ? stop - begin : size;
        if (wide && channels >= W) {
            for (std::int64_t c = 0; c < channels; c += W)
                std_stretch<V, S, D>(job, {c, true, channels - c < W ? static_cast<int>(channels - c) : W}, begin, from, to);
            continue;
        }
        const bool several = wide && from == 0 && stop - begin >= W * size;
        for (std::int64_t c = 0; c < channels; ++c) {
            if (several)
                std_stretch<V, S, D>(job, {c, false, W}, begin, 0, size);
            else
                std_stretch<double, S, D>(job, {c, false, 1}, begin, from, to);
        }
        if (several) begin += (W - 1) * size;
    }
}

template <class D>
static void deviations_to(const RunningJob& job) {
    switch (job.in.type) {
        case SampleType::i8: return deviations<std::int8_t, D>(job);
        case SampleType::u8: return deviations<std::uint8_t, D>(job);
        case SampleType::i16: return deviations<std::int16_t, D>(job);
        case SampleType::u16: return deviations<std::uint16_t, D>(job);
        case SampleType::i32: return deviations<std::int32_t, D>(job);
        case SampleType::u32: return deviations<std::uint32_t, D>(job);
        case SampleType::f32: return deviations<float, D>(job);
        default: return deviations<double, D>(job);
    }
}

static void running_std(const RunningJob& job) {
    if (job.out.type == SampleType::f32)
        deviations_to<float>(job);
    else
        deviations_to<double>(job);
}
