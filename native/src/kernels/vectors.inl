// Operations on vectors of doubles, or on one double: a lane has the same bytes at every width.

// a * b + c and c - a * b with one rounding. Every machine that the vector copies run on has the instruction; elsewhere the C library's
// fma gives the same bits.
template <class V>
HEADRACE_INLINE V fused(V a, V b, V c) {
#ifdef __AVX512F__
    if constexpr (sizeof(V) == 64) return V(_mm512_fmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#endif
#ifdef __FMA__
    if constexpr (sizeof(V) == 32) return V(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
#endif
    if constexpr (sizeof(V) == 8) {
        return __builtin_fma(a, b, c);
    } else {
        for (unsigned l = 0; l < sizeof(V) / 8; ++l) c[l] = __builtin_fma(a[l], b[l], c[l]);
        return c;
    }
}

template <class V>
HEADRACE_INLINE V fused_minus(V a, V b, V c) {
#ifdef __AVX512F__
    if constexpr (sizeof(V) == 64) return V(_mm512_fnmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#endif
#ifdef __FMA__
    if constexpr (sizeof(V) == 32) return V(_mm256_fnmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
#endif
    return fused<V>(-a, b, c);
}

template <int W>
struct RowVector {
    using V = typename Lanes<W>::V;
};
template <>
struct RowVector<1> {
    using V = double;
};

template <class V>
HEADRACE_INLINE V all(double value) {
#ifdef __AVX512F__
    if constexpr (sizeof(V) == 64) return V(_mm512_set1_pd(value));
#endif
#ifdef __AVX__
    if constexpr (sizeof(V) == 32) return V(_mm256_set1_pd(value));
#endif
    if constexpr (sizeof(V) == 8) {
        return value;
    } else {
        V v;
#pragma GCC unroll 8
        for (unsigned l = 0; l < sizeof(V) / 8; ++l) v[l] = value;
        return v;
    }
}

template <class V>
HEADRACE_INLINE V load_vector(const double* p) {
    if constexpr (sizeof(V) == 8)
        return *p;
    else
        return *reinterpret_cast<const V*>(p);
}

template <class V>
HEADRACE_INLINE void store_vector(double* p, V v) {
    if constexpr (sizeof(V) == 8)
        *p = v;
    else
        *reinterpret_cast<V*>(p) = v;
}
