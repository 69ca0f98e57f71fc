// Sums in an order that depends on the number of elements alone: 32 lanes over runs of 4096 elements, lanes added in pairs, runs added
// in pairs. No vector width can change it, because the lanes are in the source.

static constexpr int moment_lanes = 32;
static constexpr std::int64_t moment_run = 4096;

template <class T, bool squared>
HEADRACE_INLINE double moment_of_run(const T* x, std::int64_t n, double center) {
    double sums[moment_lanes] = {};
    std::int64_t i = 0;
    for (; i + moment_lanes <= n; i += moment_lanes)
        for (int l = 0; l < moment_lanes; ++l) {
            const double d = static_cast<double>(x[i + l]) - center;
            sums[l] += squared ? d * d : d;
        }
    for (int l = 0; i < n; ++i, ++l) {
        const double d = static_cast<double>(x[i]) - center;
        sums[l] += squared ? d * d : d;
    }
    for (int half = moment_lanes / 2; half > 0; half /= 2)
        for (int l = 0; l < half; ++l) sums[l] += sums[l + half];
    return sums[0];
}

template <class T, bool squared>
static double moment_loop(const MomentJob& job) {
    const T* x = static_cast<const T*>(job.src);
    double partial[64];  // sums of 2^level runs that wait for their neighbour
    std::uint64_t waiting = 0;
    for (std::int64_t start = 0; start < job.count; start += moment_run) {
        const std::int64_t n = job.count - start < moment_run ? job.count - start : moment_run;
        double sum = moment_of_run<T, squared>(x + start, n, job.center);
        int level = 0;
        for (; waiting >> level & 1; ++level) {
            sum = partial[level] + sum;
            waiting &= ~(std::uint64_t(1) << level);
        }
        partial[level] = sum;
        waiting |= std::uint64_t(1) << level;
    }
    double total = 0;
    for (int level = 0; level < 64; ++level)
        if (waiting >> level & 1) total = partial[level] + total;
    return total;
}

template <class T>
static double moment_type(const MomentJob& job) {
    return job.squared ? moment_loop<T, true>(job) : moment_loop<T, false>(job);
}

static double moment(const MomentJob& job) {
    switch (job.type) {
        case SampleType::i8: return moment_type<std::int8_t>(job);
        case SampleType::u8: return moment_type<std::uint8_t>(job);
        case SampleType::i16: return moment_type<std::int16_t>(job);
        case SampleType::u16: return moment_type<std::uint16_t>(job);
        case SampleType::i32: return moment_type<std::int32_t>(job);
        case SampleType::u32: return moment_type<std::uint32_t>(job);
        case SampleType::f32: return moment_type<float>(job);
        default: return moment_type<double>(job);
    }
}
