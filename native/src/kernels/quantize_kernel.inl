// Round half to even, saturate, count. NaN becomes 0 and counts.

// Adding and subtracting 1.5 * 2^52 rounds any |x| < 2^51 to the nearest integer, ties to even: one addition rounds, the rest is exact.
static constexpr double round_shift = 6755399441055744.0;

// W elements of up to 32 bits; `kept` counts those that fit, lane by lane. `highest` is odd and `lowest` even, so a
// value rounds past the range exactly if it is >= highest + 1/2 or < lowest - 1/2. Unsigned 32-bit goes through int32 with its sign bit
// flipped, which is exact in float64.
template <int W, class S, class D>
HEADRACE_INLINE void quantize_lanes(const S* src, D* dst, typename Lanes<W>::M& kept) {
    using V = typename Lanes<W>::V;
    typedef std::int32_t Words __attribute__((vector_size(4 * W)));
    typedef D Narrow __attribute__((vector_size(sizeof(D) * W)));
    constexpr double hi = static_cast<double>(highest<D>), lo = static_cast<double>(lowest<D>);
    const V zero = {}, top = zero + hi, bottom = zero + lo;
    const V x = load_convert<W, S>(src);
    kept -= (x >= bottom - 0.5) & (x < top + 0.5);
    V y = x > bottom ? x : bottom;
    y = y < top ? y : top;
    y = x == x ? y : zero;
    y = (y + round_shift) - round_shift;
    Narrow narrow;
    if constexpr (sizeof(D) == 4 && !is_signed_type<D>)
        narrow = __builtin_convertvector(__builtin_convertvector(y - 2147483648.0, Words), Narrow) ^ 0x80000000u;
    else
        narrow = __builtin_convertvector(__builtin_convertvector(y, Words), Narrow);
    __builtin_memcpy(dst, &narrow, sizeof narrow);
}

template <class S, class D>
static std::int64_t quantize_small(const S* src, D* dst, std::int64_t count) {
    constexpr int W = HEADRACE_MAX_LANES;
    typename Lanes<W>::M kept = {};
    typename Lanes<1>::M kept_alone = {};
    std::int64_t i = 0;
    for (; i + W <= count; i += W) quantize_lanes<W, S, D>(src + i, dst + i, kept);
    for (; i < count; ++i) quantize_lanes<1, S, D>(src + i, dst + i, kept_alone);
    std::int64_t inside = kept_alone[0];
    for (int l = 0; l < W; ++l) inside += kept[l];
    return count - inside;
}

// 64 bits: |x| >= 2^52 is an integer already; the bounds are powers of two (or 0), so exact as doubles.
template <class S, class D>
static std::int64_t quantize_large(const S* __restrict src, D* __restrict dst, std::int64_t count) {
    constexpr double end = is_signed_type<D> ? 9223372036854775808.0 : 18446744073709551616.0;
    constexpr double lo = static_cast<double>(lowest<D>), whole = 4503599627370496.0;  // 2^52
    std::int64_t clipped = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        double x = static_cast<double>(src[i]);
        if (x >= 0 && x < whole) x = (x + whole) - whole;
        if (x < 0 && x > -whole) x = (x - whole) + whole;
        if (x >= lo && x < end) {
            dst[i] = static_cast<D>(x);
        } else {
            dst[i] = x >= end ? highest<D> : x < lo ? lowest<D> : D(0);
            ++clipped;
        }
    }
    return clipped;
}

// Between integer types nothing rounds; the comparisons are made in a type that holds both sides.
template <class S, class D>
static std::int64_t quantize_integer(const S* __restrict src, D* __restrict dst, std::int64_t count) {
    std::int64_t clipped = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const S x = src[i];
        const bool below = is_signed_type<S> && static_cast<std::int64_t>(x) < 0 &&
                           (!is_signed_type<D> || static_cast<std::int64_t>(x) < static_cast<std::int64_t>(lowest<D>));
        const bool above = !(is_signed_type<S> && static_cast<std::int64_t>(x) < 0) &&
                           static_cast<std::uint64_t>(x) > static_cast<std::uint64_t>(highest<D>);
        dst[i] = below ? lowest<D> : above ? highest<D> : static_cast<D>(x);
        clipped += below | above;
    }
    return clipped;
}

template <class S, class D>
static std::int64_t quantize_loop(const QuantizeJob& job) {
    const S* src = static_cast<const S*>(job.src);
    D* dst = static_cast<D*>(job.dst);
    if constexpr (S(1) / S(2) == S(0))
        return quantize_integer<S, D>(src, dst, job.count);
    else if constexpr (sizeof(D) == 8)
        return quantize_large<S, D>(src, dst, job.count);
    else
        return quantize_small<S, D>(src, dst, job.count);
}

template <class D>
static std::int64_t quantize_to(const QuantizeJob& job) {
    switch (job.src_type) {
        case SampleType::i8: return quantize_loop<std::int8_t, D>(job);
        case SampleType::u8: return quantize_loop<std::uint8_t, D>(job);
        case SampleType::i16: return quantize_loop<std::int16_t, D>(job);
        case SampleType::u16: return quantize_loop<std::uint16_t, D>(job);
        case SampleType::i32: return quantize_loop<std::int32_t, D>(job);
        case SampleType::u32: return quantize_loop<std::uint32_t, D>(job);
        case SampleType::i64: return quantize_loop<std::int64_t, D>(job);
        case SampleType::u64: return quantize_loop<std::uint64_t, D>(job);
        case SampleType::f32: return quantize_loop<float, D>(job);
        default: return quantize_loop<double, D>(job);
    }
}

static std::int64_t quantize(const QuantizeJob& job) {
    switch (job.dst_type) {
        case SampleType::i8: return quantize_to<std::int8_t>(job);
        case SampleType::u8: return quantize_to<std::uint8_t>(job);
        case SampleType::i16: return quantize_to<std::int16_t>(job);
        case SampleType::u16: return quantize_to<std::uint16_t>(job);
        case SampleType::i32: return quantize_to<std::int32_t>(job);
        case SampleType::u32: return quantize_to<std::uint32_t>(job);
        case SampleType::i64: return quantize_to<std::int64_t>(job);
        default: return quantize_to<std::uint64_t>(job);
    }
}
