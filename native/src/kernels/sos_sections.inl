// The recurrence over rows of eight lanes, or of one, in place. A lane has the same scalar sequence of operations at every width.

constexpr int lanes_of_row = static_cast<int>(sos_lanes);
constexpr int native_width = HEADRACE_MAX_LANES;

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
    if constexpr (sizeof(V) == 8) {
        return value;
    } else {
        const V zero = {};
        return zero + value;
    }
}

template <class V>
struct Section {
    V b0, b1, b2, a1, a2;
    explicit Section(const double* c) : b0(all<V>(c[0])), b1(all<V>(c[1])), b2(all<V>(c[2])), a1(all<V>(c[3])), a2(all<V>(c[4])) {}
};

// One sample of one section. `Unit`: b0 and b2 are 1, and a product with 1 need not be taken, fused or not, to have its bits.
template <class V, bool Unit, bool Fused>
HEADRACE_INLINE V section_step(const Section<V>& c, V x, V& z0, V& z1) {
    if constexpr (Fused) {
        const V y = Unit ? x + z0 : fused<V>(c.b0, x, z0);
        z0 = fused_minus<V>(c.a1, y, fused<V>(c.b1, x, z1));
        z1 = fused_minus<V>(c.a2, y, Unit ? x : c.b2 * x);
        return y;
    } else {
        const V y = (Unit ? x : c.b0 * x) + z0;
        z0 = (c.b1 * x - c.a1 * y) + z1;
        z1 = (Unit ? x : c.b2 * x) - c.a2 * y;
        return y;
    }
}

// S consecutive sections over `count` rows of H vectors, `step` doubles apart; bit s of Units: section s is Unit. `state`: (S, 2, row).
template <class V, int H, int S, unsigned Units, bool Fused>
static void advance(double* row, std::int64_t count, std::int64_t step, const double* coefficients, double* state) {
    constexpr int w = sizeof(V) / 8;
    V z[S][2][H];
    for (int s = 0; s < S; ++s)
        for (int i = 0; i < 2; ++i)
            for (int h = 0; h < H; ++h) __builtin_memcpy(&z[s][i][h], state + ((2 * s + i) * H + h) * w, sizeof(V));
    const auto section = [coefficients](int s) { return Section<V>(coefficients + 5 * s); };
    const Section<V> c[4] = {section(0), section(S > 1 ? 1 : 0), section(S > 2 ? 2 : 0), section(S > 3 ? 3 : 0)};
    for (std::int64_t r = 0; r < count; ++r, row += step) {
        V x[H];
        for (int h = 0; h < H; ++h) __builtin_memcpy(&x[h], row + h * w, sizeof(V));
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s)
#pragma GCC unroll 4
            for (int h = 0; h < H; ++h) {
                if (Units >> s & 1)
                    x[h] = section_step<V, true, Fused>(c[s], x[h], z[s][0][h], z[s][1][h]);
                else
                    x[h] = section_step<V, false, Fused>(c[s], x[h], z[s][0][h], z[s][1][h]);
            }
        for (int h = 0; h < H; ++h) __builtin_memcpy(row + h * w, &x[h], sizeof(V));
    }
    for (int s = 0; s < S; ++s)
        for (int i = 0; i < 2; ++i)
            for (int h = 0; h < H; ++h) __builtin_memcpy(state + ((2 * s + i) * H + h) * w, &z[s][i][h], sizeof(V));
}

using Advance = void (*)(double*, std::int64_t, std::int64_t, const double*, double*);

template <class V, int H, int S, bool Fused>
static Advance advance_for(unsigned units) {
    if constexpr (S == 1) {
        static constexpr Advance all_units[] = {advance<V, H, 1, 0, Fused>, advance<V, H, 1, 1, Fused>};
        return all_units[units];
    } else if constexpr (S == 2) {
        static constexpr Advance all_units[] = {advance<V, H, 2, 0, Fused>, advance<V, H, 2, 1, Fused>, advance<V, H, 2, 2, Fused>,
                                                advance<V, H, 2, 3, Fused>};
        return all_units[units];
    } else {
        // Of a design all sections but the first are usually units.
        if (units == (1u << S) - 1) return advance<V, H, S, (1u << S) - 1, Fused>;
        if (units == (1u << S) - 2) return advance<V, H, S, (1u << S) - 2, Fused>;
        return advance<V, H, S, 0, Fused>;
    }
}

// All sections over `count` rows from `row` on, `step` doubles apart (negative: backwards in time).
template <int W, bool Fused>
static void run_rows(const SosPlan& plan, double* row, std::int64_t count, std::int64_t step, double* state) {
    using V = typename RowVector<W == 1 ? 1 : native_width>::V;
    constexpr int H = W == 1 ? 1 : W / native_width;
    constexpr std::int64_t at_once = H == 1 ? 4 : HEADRACE_SECTIONS_AT_ONCE;
    for (std::int64_t s = 0; s < plan.sections;) {
        const std::int64_t left = plan.sections - s, n = left < at_once ? left : at_once;
        unsigned units = 0;
        for (std::int64_t i = 0; i < n; ++i)
            if (plan.coefficients[5 * (s + i)] == 1 && plan.coefficients[5 * (s + i) + 2] == 1) units |= 1u << i;
        Advance run = advance_for<V, H, 1, Fused>(units & 1);
        if (n == 2) run = advance_for<V, H, 2, Fused>(units);
        if (n == 3) run = advance_for<V, H, 3, Fused>(units);
        if (n == 4) run = advance_for<V, H, 4, Fused>(units);
        run(row, count, step, plan.coefficients + 5 * s, state + 2 * s * W);
        s += n;
    }
}

template <int W>
static void run_rows(const SosPlan& plan, double* row, std::int64_t count, std::int64_t step, double* state) {
    if (plan.exact)
        run_rows<W, false>(plan, row, count, step, state);
    else
        run_rows<W, true>(plan, row, count, step, state);
}
