// Median or mean over channels, then the subtraction.

// x - reference for a row; `reference` is one number, or one for each channel.
template <class S, class D, bool single>
HEADRACE_INLINE void subtract_row(const S* x, D* y, std::int64_t channels, const double* reference) {
    constexpr int W = HEADRACE_MAX_LANES;
    std::int64_t c = 0;
    if constexpr (sizeof(S) <= 2 && sizeof(D) == 4) {
        // References of such integers that are whole or half numbers: exact in float32, the same bytes as by way of float64.
        if (single && reference[0] * 2 == static_cast<double>(static_cast<std::int32_t>(reference[0] * 2))) {
            const float shift = static_cast<float>(reference[0]);
            for (; c < channels; ++c) y[c] = static_cast<float>(static_cast<std::int32_t>(x[c])) - shift;
            return;
        }
    }
    const typename Lanes<W>::V zero = {};
    typename Lanes<W>::V shift = zero + reference[0];
    for (; c + W <= channels; c += W) {
        if constexpr (!single) __builtin_memcpy(&shift, reference + c, sizeof shift);
        convert_store<W, D>(y + c, load_convert<W, S>(x + c) - shift);
    }
    for (; c < channels; ++c) y[c] = static_cast<D>(static_cast<double>(x[c]) - reference[single ? 0 : c]);
}

// One bit pattern for a NaN and for zero: which of those it would be depends on the order of things.
HEADRACE_INLINE double canonical(double v) { return v == v ? v + 0.0 : __builtin_nan(""); }

struct ReferenceScratch {
    char* tile;
    double* references;  // group g, row l at g * 32 + l; after the last group 32 zeros
    double* seeds;
    double* row;
};

static inline ReferenceScratch cut_scratch(const ReferenceJob& job) {
    char* p = static_cast<char*>(job.scratch);
    ReferenceScratch s;
    s.tile = p;
    p += 64 * job.channels;
    s.references = reinterpret_cast<double*>(p);
    p += 8 * 32 * (job.groups + 1);
    s.seeds = reinterpret_cast<double*>(p);
    p += 8 * job.groups;
    s.row = reinterpret_cast<double*>(p);
    return s;
}

template <class S, class D>
static void subtract_rows(const ReferenceJob& job, const ReferenceScratch& scratch, std::int64_t r, int rows) {
    const S* src = static_cast<const S*>(job.src) + r * job.channels;
    D* dst = static_cast<D*>(job.dst) + r * job.channels;
    bool single = job.groups == 1;
    for (std::int64_t c = 0; c < job.channels && single; ++c) single = job.target[c] == 0;
    for (int l = 0; l < rows; ++l, src += job.channels, dst += job.channels) {
        if (single) {
            subtract_row<S, D, true>(src, dst, job.channels, scratch.references + l);
            continue;
        }
        for (std::int64_t c = 0; c < job.channels; ++c) {
            const std::int64_t g = job.target[c] < 0 ? job.groups : job.target[c];
            scratch.row[c] = scratch.references[32 * g + l];
        }
        subtract_row<S, D, false>(src, dst, job.channels, scratch.row);
    }
}

template <class S, class K>
static void medians(const ReferenceJob& job, const ReferenceScratch& scratch, std::int64_t r, int rows) {
    constexpr int lanes = Keys<K>::lanes;
    const S* row[lanes];
    for (int l = 0; l < lanes; ++l) row[l] = static_cast<const S*>(job.src) + (r + (l < rows ? l : rows - 1)) * job.channels;
    K* tile = reinterpret_cast<K*>(scratch.tile);
    fill_tile<S, K>(row, job.channels, job.slot, tile);
    for (std::int64_t g = 0; g < job.groups; ++g) {
        const std::int64_t first = job.group_start[g], m = job.group_start[g + 1] - first;
        const Middle<K> middle = middle_of<K>(tile + first * lanes, m, static_cast<K>(scratch.seeds[g]));
        double* to = scratch.references + 32 * g;
        for (int l = 0; l < lanes; ++l) {
            const double a = static_cast<double>(middle.lower[l]), b = static_cast<double>(middle.upper[l]);
            to[l] = middle.undefined[l] ? __builtin_nan("") : canonical(m % 2 == 1 ? a : (a + b) / 2);
        }
        scratch.seeds[g] = static_cast<double>(middle.lower[lanes - 1]);
    }
}

// Eight partial sums, whatever the ISA, joined in one order.
static double sum_in_order(const double* x, std::int64_t m) {
    constexpr int W = HEADRACE_MAX_LANES, parts = 8 / W;
    typename Lanes<W>::V sums[parts] = {};
    std::int64_t i = 0;
    for (; i + 8 <= m; i += 8)
        for (int p = 0; p < parts; ++p) {
            typename Lanes<W>::V v;
            __builtin_memcpy(&v, x + i + p * W, sizeof v);
            sums[p] = sums[p] + v;
        }
    double s[8], rest = 0;
    for (int l = 0; l < 8; ++l) s[l] = sums[l / W][l % W];
    for (; i < m; ++i) rest += x[i];
    return (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))) + rest;
}

// A row as float64, members of a group side by side.
template <class S>
static void spread_row(const S* x, std::int64_t channels, const std::int32_t* slot, bool in_order, double* __restrict row) {
    constexpr int W = HEADRACE_MAX_LANES;
    std::int64_t c = 0;
    if (in_order)
        for (; c + W <= channels; c += W) convert_store<W, double>(row + c, load_convert<W, S>(x + c));
    for (; c < channels; ++c) row[slot[c]] = static_cast<double>(x[c]);
}

template <class S>
static void means(const ReferenceJob& job, const ReferenceScratch& scratch, std::int64_t r, int rows) {
    bool in_order = true;
    for (std::int64_t c = 0; c < job.channels && in_order; ++c) in_order = job.slot[c] == c;
    for (int l = 0; l < rows; ++l) {
        spread_row(static_cast<const S*>(job.src) + (r + l) * job.channels, job.channels, job.slot, in_order, scratch.row);
        for (std::int64_t g = 0; g < job.groups; ++g) {
            const std::int64_t first = job.group_start[g], m = job.group_start[g + 1] - first;
            scratch.references[32 * g + l] = canonical(sum_in_order(scratch.row + first, m) / static_cast<double>(m));
        }
    }
}

template <class S, class K, class D>
static void reference_loop(const ReferenceJob& job) {
    constexpr int lanes = Keys<K>::lanes;
    const ReferenceScratch scratch = cut_scratch(job);
    for (int l = 0; l < 32; ++l) scratch.references[32 * job.groups + l] = 0.0;
    for (std::int64_t g = 0; g < job.groups; ++g) scratch.seeds[g] = 0.0;
    for (std::int64_t r = 0; r < job.rows; r += lanes) {
        const int rows = job.rows - r < lanes ? static_cast<int>(job.rows - r) : lanes;
        if (job.median)
            medians<S, K>(job, scratch, r, rows);
        else
            means<S>(job, scratch, r, rows);
        subtract_rows<S, D>(job, scratch, r, rows);
    }
}

template <class S, class K>
static void reference_to(const ReferenceJob& job) {
    if (job.dst_type == SampleType::f32) return reference_loop<S, K, float>(job);
    return reference_loop<S, K, double>(job);
}

// Counts of int16 lanes end at 32767 channels; float32 holds those integers too.
template <class S>
static void reference_small(const ReferenceJob& job) {
    if (job.channels > 32767) return reference_to<S, float>(job);
    return reference_to<S, std::int16_t>(job);
}

static void reference(const ReferenceJob& job) {
    switch (job.src_type) {
        case SampleType::i8: return reference_small<std::int8_t>(job);
        case SampleType::u8: return reference_small<std::uint8_t>(job);
        case SampleType::i16: return reference_small<std::int16_t>(job);
        case SampleType::u16: return reference_to<std::uint16_t, float>(job);
        case SampleType::i32: return reference_to<std::int32_t, double>(job);
        case SampleType::u32: return reference_to<std::uint32_t, double>(job);
        case SampleType::i64: return reference_to<std::int64_t, double>(job);
        case SampleType::u64: return reference_to<std::uint64_t, double>(job);
        case SampleType::f32: return reference_to<float, float>(job);
        default: return reference_to<double, double>(job);
    }
}
