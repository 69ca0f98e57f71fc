// The recurrence over rows of eight lanes, or of one, in place. A lane has the same scalar sequence of operations at every width.

constexpr int lanes_of_row = static_cast<int>(sos_lanes);
constexpr int native_width = HEADRACE_MAX_LANES;

template <class V>
struct Section {
    V b0, b1, b2, a1, a2;
    explicit Section(const double* c) : b0(all<V>(c[0])), b1(all<V>(c[1])), b2(all<V>(c[2])), a1(all<V>(c[3])), a2(all<V>(c[4])) {}
};

// One sample of one section in SciPy's order of operations. `unit`: b0 and b2 are 1, and a product with 1 has the bits of the other factor.
template <class V>
HEADRACE_INLINE V exact_step(bool unit, const Section<V>& c, V x, V& z0, V& z1) {
    const V y = (unit ? x : c.b0 * x) + z0;
    z0 = (c.b1 * x - c.a1 * y) + z1;
    z1 = (unit ? x : c.b2 * x) - c.a2 * y;
    return y;
}

// S consecutive sections over `count` rows of H vectors, `step` doubles apart; bit s of Units: section s is a unit. `state`: (S, 2, row).
template <class V, int H, int S, unsigned Units>
static void advance_exact(double* row, std::int64_t count, std::int64_t step, const double* coefficients, double* state) {
    constexpr int w = sizeof(V) / 8;
    V z[S][2][H];
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s)
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
            z[s][0][h] = load_vector<V>(state + (2 * s * H + h) * w);
            z[s][1][h] = load_vector<V>(state + ((2 * s + 1) * H + h) * w);
        }
    const auto section = [coefficients](int s) { return Section<V>(coefficients + 5 * s); };
    const Section<V> c[4] = {section(0), section(S > 1 ? 1 : 0), section(S > 2 ? 2 : 0), section(S > 3 ? 3 : 0)};
    for (std::int64_t r = 0; r < count; ++r, row += step) {
        V x[H];
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) x[h] = load_vector<V>(row + h * w);
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s)
#pragma GCC unroll 4
            for (int h = 0; h < H; ++h) x[h] = exact_step<V>((Units >> s & 1) != 0, c[s], x[h], z[s][0][h], z[s][1][h]);
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) store_vector<V>(row + h * w, x[h]);
    }
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s)
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
            store_vector<V>(state + (2 * s * H + h) * w, z[s][0][h]);
            store_vector<V>(state + ((2 * s + 1) * H + h) * w, z[s][1][h]);
        }
}

// Direct form I for the lanes: y = b0 x + b1 x1 + b2 x2 - a2 y2 - a1 y1, of which only the last product waits for the sample before. The
// history of one section's output is the next one's input. It begins and ends as the two states of the transposed form.
template <class V>
HEADRACE_INLINE V fused_step(bool unit, const Section<V>& c, V x, V x1, V x2, V y1, V y2) {
    const V v = unit ? x + fused<V>(c.b1, x1, x2) : fused<V>(c.b0, x, fused<V>(c.b1, x1, c.b2 * x2));
    return fused_minus<V>(c.a1, y1, fused_minus<V>(c.a2, y2, v));
}

template <class V, int H, int S, unsigned Units>
static void advance_fused(double* row, std::int64_t count, std::int64_t step, const double* coefficients, double* state) {
    constexpr int w = sizeof(V) / 8;
    const auto section = [coefficients](int s) { return Section<V>(coefficients + 5 * s); };
    const Section<V> c[4] = {section(0), section(S > 1 ? 1 : 0), section(S > 2 ? 2 : 0), section(S > 3 ? 3 : 0)};
    V now[S + 1][H], before[S + 1][H];  // of x, and of what each section made of it: the last sample, and the one before that
#pragma GCC unroll 4
    for (int h = 0; h < H; ++h) {
        // The first two samples in the transposed form, from which the history is known.
        V x = load_vector<V>(row + h * w);
        before[0][h] = x;
        V z1[S];
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) {
            const V y = fused<V>(c[s].b0, x, load_vector<V>(state + (2 * s * H + h) * w));
            z1[s] = fused_minus<V>(c[s].a1, y, fused<V>(c[s].b1, x, load_vector<V>(state + ((2 * s + 1) * H + h) * w)));
            before[s + 1][h] = x = y;
        }
        store_vector<V>(row + h * w, x);
        if (count == 1) {
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) {
                store_vector<V>(state + (2 * s * H + h) * w, z1[s]);
                store_vector<V>(state + ((2 * s + 1) * H + h) * w,
                                fused_minus<V>(c[s].a2, before[s + 1][h], c[s].b2 * before[s][h]));
            }
            continue;
        }
        x = load_vector<V>(row + step + h * w);
        now[0][h] = x;
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) now[s + 1][h] = x = fused<V>(c[s].b0, x, z1[s]);
        store_vector<V>(row + step + h * w, x);
    }
    if (count == 1) return;
    row += 2 * step;
    std::int64_t r = 2;
    for (; r + 2 <= count; r += 2, row += 2 * step) {
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
            V x2 = before[0][h];
            before[0][h] = load_vector<V>(row + h * w);
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) {
                const V y2 = before[s + 1][h];
                before[s + 1][h] = fused_step<V>((Units >> s & 1) != 0, c[s], before[s][h], now[s][h], x2, now[s + 1][h], y2);
                x2 = y2;
            }
            store_vector<V>(row + h * w, before[S][h]);
        }
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
            V x2 = now[0][h];
            now[0][h] = load_vector<V>(row + step + h * w);
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) {
                const V y2 = now[s + 1][h];
                now[s + 1][h] = fused_step<V>((Units >> s & 1) != 0, c[s], now[s][h], before[s][h], x2, before[s + 1][h], y2);
                x2 = y2;
            }
            store_vector<V>(row + step + h * w, now[S][h]);
        }
    }
    if (r < count) {
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
            V x2 = before[0][h];
            before[0][h] = now[0][h];
            now[0][h] = load_vector<V>(row + h * w);
#pragma GCC unroll 4
            for (int s = 0; s < S; ++s) {
                const V y2 = before[s + 1][h];
                before[s + 1][h] = now[s + 1][h];
                now[s + 1][h] = fused_step<V>((Units >> s & 1) != 0, c[s], now[s][h], before[s][h], x2, before[s + 1][h], y2);
                x2 = y2;
            }
            store_vector<V>(row + h * w, now[S][h]);
        }
    }
#pragma GCC unroll 4
    for (int s = 0; s < S; ++s)
#pragma GCC unroll 4
        for (int h = 0; h < H; ++h) {
            const V older = fused_minus<V>(c[s].a2, before[s + 1][h], c[s].b2 * before[s][h]);
            store_vector<V>(state + (2 * s * H + h) * w, fused_minus<V>(c[s].a1, now[s + 1][h], fused<V>(c[s].b1, now[s][h], older)));
            store_vector<V>(state + ((2 * s + 1) * H + h) * w, fused_minus<V>(c[s].a2, now[s + 1][h], c[s].b2 * now[s][h]));
        }
}

template <class V, int H, int S, unsigned Units, bool Fused>
static void advance(double* row, std::int64_t count, std::int64_t step, const double* coefficients, double* state) {
    if constexpr (Fused)
        advance_fused<V, H, S, Units>(row, count, step, coefficients, state);
    else
        advance_exact<V, H, S, Units>(row, count, step, coefficients, state);
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
    constexpr std::int64_t at_once = H == 1 ? 4 : 2;
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
