// Keys in vectors, and the step of a sift: count those in the hole, store those around it one after another.
// The stored order is that of the input on every ISA.

// Elements of any type as keys of type K, one and W at a time.
template <class T, class K>
struct ValueKeys {
    using Key = K;
    const T* x;
    HEADRACE_INLINE K one(const ValueKeys& v, std::int64_t i) { return static_cast<K>(v.x[i]); }
    template <int W>
    HEADRACE_INLINE auto many(const ValueKeys& v, std::int64_t i) {
        typedef T Narrow __attribute__((vector_size(sizeof(T) * W), may_alias, aligned(alignof(T))));
        typedef K Wide __attribute__((vector_size(sizeof(K) * W)));
        return __builtin_convertvector(*reinterpret_cast<const Narrow*>(v.x + i), Wide);
    }
};

#if defined(__AVX2__) && !defined(__AVX512F__)
// For each mask of eight lanes, the lanes that are set, in order, a byte each.
struct Packing {
    std::uint64_t lanes[256];
};
static constexpr Packing make_packing() {
    Packing p{};
    for (int mask = 0; mask < 256; ++mask) {
        std::uint64_t packed = 0;
        int place = 0;
        for (int lane = 0; lane < 8; ++lane)
            if (mask >> lane & 1) packed |= static_cast<std::uint64_t>(lane) << 8 * place++;
        p.lanes[mask] = packed;
    }
    return p;
}
static constexpr Packing packing = make_packing();
HEADRACE_INLINE __m256i packed_lanes(unsigned mask) {
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(packing.lanes[mask])));
}
// Every bit twice: lanes of 64 bits are pairs of lanes of 32.
static constexpr unsigned char paired_masks[16] = {0x00, 0x03, 0x0c, 0x0f, 0x30, 0x33, 0x3c, 0x3f, 0xc0, 0xc3, 0xcc, 0xcf, 0xf0, 0xf3, 0xfc, 0xff};
#endif

#if defined(__AVX512F__)
template <class K>
static constexpr int sift_width = 64 / sizeof(K);
#elif defined(__AVX2__)
template <class K>
static constexpr int sift_width = 32 / sizeof(K);
#else
template <class K>
static constexpr int sift_width = 1;
#endif

struct Sifted {
    std::int64_t inner, within, missing;
};

template <class K>
struct Sieve {
    K hole_lo, hole_hi, lo, hi;
};

#if defined(__AVX512F__)
HEADRACE_INLINE Sifted sift_step(__m512 v, const Sieve<float>& s, float* kept) {
    const __mmask16 hole = _mm512_cmp_ps_mask(v, _mm512_set1_ps(s.hole_lo), _CMP_GE_OQ) & _mm512_cmp_ps_mask(v, _mm512_set1_ps(s.hole_hi), _CMP_LE_OQ);
    const __mmask16 all = _mm512_cmp_ps_mask(v, _mm512_set1_ps(s.lo), _CMP_GE_OQ) & _mm512_cmp_ps_mask(v, _mm512_set1_ps(s.hi), _CMP_LE_OQ);
    const auto in = static_cast<__mmask16>(all & ~hole);
    _mm512_storeu_ps(kept, _mm512_maskz_compress_ps(in, v));
    return {__builtin_popcount(hole), __builtin_popcount(in), __builtin_popcount(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q))};
}
HEADRACE_INLINE Sifted sift_step(__m512d v, const Sieve<double>& s, double* kept) {
    const __mmask8 hole = _mm512_cmp_pd_mask(v, _mm512_set1_pd(s.hole_lo), _CMP_GE_OQ) & _mm512_cmp_pd_mask(v, _mm512_set1_pd(s.hole_hi), _CMP_LE_OQ);
    const __mmask8 all = _mm512_cmp_pd_mask(v, _mm512_set1_pd(s.lo), _CMP_GE_OQ) & _mm512_cmp_pd_mask(v, _mm512_set1_pd(s.hi), _CMP_LE_OQ);
    const auto in = static_cast<__mmask8>(all & ~hole);
    _mm512_storeu_pd(kept, _mm512_maskz_compress_pd(in, v));
    return {__builtin_popcount(hole), __builtin_popcount(in), __builtin_popcount(_mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q))};
}
HEADRACE_INLINE __m512 as_vector(float, const void* p) { return _mm512_loadu_ps(p); }
HEADRACE_INLINE __m512d as_vector(double, const void* p) { return _mm512_loadu_pd(p); }
#elif defined(__AVX2__)
HEADRACE_INLINE int bits_of(__m256 m) { return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_ps(m))); }
HEADRACE_INLINE int bits_of(__m256d m) { return __builtin_popcount(static_cast<unsigned>(_mm256_movemask_pd(m))); }
HEADRACE_INLINE __m256 between(__m256 v, float lo, float hi) {
    return _mm256_and_ps(_mm256_cmp_ps(v, _mm256_set1_ps(lo), _CMP_GE_OQ), _mm256_cmp_ps(v, _mm256_set1_ps(hi), _CMP_LE_OQ));
}
HEADRACE_INLINE __m256d between(__m256d v, double lo, double hi) {
    return _mm256_and_pd(_mm256_cmp_pd(v, _mm256_set1_pd(lo), _CMP_GE_OQ), _mm256_cmp_pd(v, _mm256_set1_pd(hi), _CMP_LE_OQ));
}
HEADRACE_INLINE Sifted sift_step(__m256 v, const Sieve<float>& s, float* kept) {
    const __m256 hole = between(v, s.hole_lo, s.hole_hi);
    const auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_andnot_ps(hole, between(v, s.lo, s.hi))));
    _mm256_storeu_ps(kept, _mm256_permutevar8x32_ps(v, packed_lanes(mask)));
    return {bits_of(hole), __builtin_popcount(mask), bits_of(_mm256_cmp_ps(v, v, _CMP_UNORD_Q))};
}
HEADRACE_INLINE Sifted sift_step(__m256d v, const Sieve<double>& s, double* kept) {
    const __m256d hole = between(v, s.hole_lo, s.hole_hi);
    const auto mask = static_cast<unsigned>(_mm256_movemask_pd(_mm256_andnot_pd(hole, between(v, s.lo, s.hi))));
    const __m256 packed = _mm256_permutevar8x32_ps(_mm256_castpd_ps(v), packed_lanes(paired_masks[mask]));
    _mm256_storeu_pd(kept, _mm256_castps_pd(packed));
    return {bits_of(hole), __builtin_popcount(mask), bits_of(_mm256_cmp_pd(v, v, _CMP_UNORD_Q))};
}
HEADRACE_INLINE __m256 as_vector(float, const void* p) { return _mm256_loadu_ps(static_cast<const float*>(p)); }
HEADRACE_INLINE __m256d as_vector(double, const void* p) { return _mm256_loadu_pd(static_cast<const double*>(p)); }
#endif
