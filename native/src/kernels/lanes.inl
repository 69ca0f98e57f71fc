// Vectors of W doubles, one independent stream per lane. Nothing here combines two lanes, and no operation is fused or reordered
// (-ffp-contract=off, no -ffast-math), so a lane computes the same bytes at every W and on every ISA.

template <int W>
struct Lanes {
    typedef double V __attribute__((vector_size(8 * W), may_alias));
    typedef std::int64_t M __attribute__((vector_size(8 * W), may_alias));
    typedef double Unaligned __attribute__((vector_size(8 * W), may_alias, aligned(8)));
    // A row of the workspace: W real parts, then W imaginary parts.
    static constexpr std::int64_t row = 2 * W;
};

#define HEADRACE_INLINE static inline __attribute__((always_inline))

template <int W>
HEADRACE_INLINE typename Lanes<W>::V load_row(const double* p) {
    return *reinterpret_cast<const typename Lanes<W>::V*>(p);
}

template <int W>
HEADRACE_INLINE void store_row(double* p, typename Lanes<W>::V v) {
    *reinterpret_cast<typename Lanes<W>::V*>(p) = v;
}

// One instruction where the compiler's generic conversion takes three. Exact, so the same bytes.
template <int W, class Narrow>
HEADRACE_INLINE typename Lanes<W>::V widen(Narrow v) {
    [[maybe_unused]] constexpr bool is_float = sizeof(v[0]) == 4 && decltype(v[0] + v[0])(1) / 2 != 0;
#ifdef __AVX512F__
    if constexpr (W == 8 && is_float) return reinterpret_cast<typename Lanes<W>::V>(_mm512_cvtps_pd(reinterpret_cast<__m256>(v)));
    if constexpr (W == 8 && !is_float) return reinterpret_cast<typename Lanes<W>::V>(_mm512_cvtepi32_pd(reinterpret_cast<__m256i>(v)));
#endif
#ifdef __AVX2__
    if constexpr (W == 4 && is_float) return reinterpret_cast<typename Lanes<W>::V>(_mm256_cvtps_pd(reinterpret_cast<__m128>(v)));
    if constexpr (W == 4 && !is_float) return reinterpret_cast<typename Lanes<W>::V>(_mm256_cvtepi32_pd(reinterpret_cast<__m128i>(v)));
#endif
    return __builtin_convertvector(v, typename Lanes<W>::V);
}

// W consecutive elements of any type, as doubles.
template <int W, class T>
HEADRACE_INLINE typename Lanes<W>::V load_convert(const T* p) {
#ifdef __AVX2__
    if constexpr (W == 4 && sizeof(T) == 2) {
        const __m128i v = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        return typename Lanes<W>::V(_mm256_cvtepi32_pd(T(-1) < T(0) ? _mm_cvtepi16_epi32(v) : _mm_cvtepu16_epi32(v)));
    }
#endif
    typedef T Narrow __attribute__((vector_size(sizeof(T) * W)));
    Narrow v;
    __builtin_memcpy(&v, p, sizeof v);
    if constexpr (sizeof(T) < 4) {
        typedef std::int32_t Wide __attribute__((vector_size(4 * W)));
        return widen<W>(__builtin_convertvector(v, Wide));
    } else if constexpr (sizeof(T) == 4 && T(-1) < T(0)) {
        return widen<W>(v);
    } else {
        return __builtin_convertvector(v, typename Lanes<W>::V);
    }
}

template <int W, class T>
HEADRACE_INLINE void convert_store(T* p, typename Lanes<W>::V v) {
    typedef T Narrow __attribute__((vector_size(sizeof(T) * W)));
    const Narrow n = __builtin_convertvector(v, Narrow);
    __builtin_memcpy(p, &n, sizeof n);
}

// One step of the block transposition: exchanges the off-diagonal D x D blocks of rows a and b.
template <int W, int D>
HEADRACE_INLINE void exchange(typename Lanes<W>::V& a, typename Lanes<W>::V& b) {
    typename Lanes<W>::V lo, hi;
    if constexpr (W == 2) {
        lo = __builtin_shufflevector(a, b, 0, 2);
        hi = __builtin_shufflevector(a, b, 1, 3);
    } else if constexpr (W == 4 && D == 1) {
        lo = __builtin_shufflevector(a, b, 0, 4, 2, 6);
        hi = __builtin_shufflevector(a, b, 1, 5, 3, 7);
    } else if constexpr (W == 4 && D == 2) {
        lo = __builtin_shufflevector(a, b, 0, 1, 4, 5);
        hi = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    } else if constexpr (W == 8 && D == 1) {
        lo = __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
        hi = __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
    } else if constexpr (W == 8 && D == 2) {
        lo = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
        hi = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    } else {
        static_assert(W == 8 && D == 4);
        lo = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        hi = __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
    a = lo;
    b = hi;
}

template <int W, int D>
HEADRACE_INLINE void exchange_all(typename Lanes<W>::V (&r)[W]) {
    for (int i = 0; i < W; ++i)
        if ((i & D) == 0) exchange<W, D>(r[i], r[i + D]);
}

template <int W>
HEADRACE_INLINE void transpose(typename Lanes<W>::V (&r)[W]) {
    if constexpr (W >= 8) exchange_all<W, 4>(r);
    if constexpr (W >= 4) exchange_all<W, 2>(r);
    if constexpr (W >= 2) exchange_all<W, 1>(r);
}
