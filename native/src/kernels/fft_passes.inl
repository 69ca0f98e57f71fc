// The radix-4 passes. Forward: decimation in frequency, natural order in, digit-reversed out. Inverse: decimation in time, the exact
// mirror. The spectrum of the taps is stored in the digit-reversed order, so no pass ever permutes.

// exp(-i pi/4) = c - ic
static constexpr double sqrt_half = 0.70710678118654752440;

template <int W>
struct Complex {
    typename Lanes<W>::V re, im;
};

template <int W>
HEADRACE_INLINE Complex<W> get(const double* p) {
    return {load_row<W>(p), load_row<W>(p + W)};
}

template <int W>
HEADRACE_INLINE void put(double* p, Complex<W> a) {
    store_row<W>(p, a.re);
    store_row<W>(p + W, a.im);
}

template <int W>
HEADRACE_INLINE Complex<W> add(Complex<W> a, Complex<W> b) { return {a.re + b.re, a.im + b.im}; }
template <int W>
HEADRACE_INLINE Complex<W> sub(Complex<W> a, Complex<W> b) { return {a.re - b.re, a.im - b.im}; }
// a + ib and a - ib
template <int W>
HEADRACE_INLINE Complex<W> add_i(Complex<W> a, Complex<W> b) { return {a.re - b.im, a.im + b.re}; }
template <int W>
HEADRACE_INLINE Complex<W> sub_i(Complex<W> a, Complex<W> b) { return {a.re + b.im, a.im - b.re}; }
template <int W>
HEADRACE_INLINE Complex<W> times(Complex<W> a, const double* w) {
    return {a.re * w[0] - a.im * w[1], a.re * w[1] + a.im * w[0]};
}
template <int W>
HEADRACE_INLINE Complex<W> times_conj(Complex<W> a, const double* w) {
    return {a.re * w[0] + a.im * w[1], a.im * w[0] - a.re * w[1]};
}

// The four-point transforms without twiddles.
template <int W>
HEADRACE_INLINE void dft4(Complex<W> (&a)[4]) {
    const auto t0 = add<W>(a[0], a[2]), t1 = sub<W>(a[0], a[2]), t2 = add<W>(a[1], a[3]), t3 = sub<W>(a[1], a[3]);
    a[0] = add<W>(t0, t2);
    a[1] = sub_i<W>(t1, t3);
    a[2] = sub<W>(t0, t2);
    a[3] = add_i<W>(t1, t3);
}

template <int W>
HEADRACE_INLINE void idft4(Complex<W> (&a)[4]) {
    const auto t0 = add<W>(a[0], a[2]), t1 = sub<W>(a[0], a[2]), t2 = add<W>(a[1], a[3]), t3 = sub<W>(a[1], a[3]);
    a[0] = add<W>(t0, t2);
    a[1] = add_i<W>(t1, t3);
    a[2] = sub<W>(t0, t2);
    a[3] = sub_i<W>(t1, t3);
}

// `n` butterflies on consecutive rows; the four legs are `leg` doubles apart.
template <int W>
HEADRACE_INLINE void down_run(double* p, std::int64_t leg, const double* w, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i, p += Lanes<W>::row, w += 6) {
        Complex<W> a[4] = {get<W>(p), get<W>(p + leg), get<W>(p + 2 * leg), get<W>(p + 3 * leg)};
        dft4<W>(a);
        put<W>(p, a[0]);
        put<W>(p + leg, times<W>(a[1], w));
        put<W>(p + 2 * leg, times<W>(a[2], w + 2));
        put<W>(p + 3 * leg, times<W>(a[3], w + 4));
    }
}

template <int W>
HEADRACE_INLINE void up_run(double* p, std::int64_t leg, const double* w, std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i, p += Lanes<W>::row, w += 6) {
        Complex<W> a[4] = {get<W>(p), times_conj<W>(get<W>(p + leg), w), times_conj<W>(get<W>(p + 2 * leg), w + 2),
                           times_conj<W>(get<W>(p + 3 * leg), w + 4)};
        idft4<W>(a);
        for (int q = 0; q < 4; ++q) put<W>(p + q * leg, a[q]);
    }
}

// The smallest transforms: forward, times the spectrum, inverse, without touching memory in between.
template <int W>
HEADRACE_INLINE void leaf4(double* p, const double* h) {
    constexpr auto row = Lanes<W>::row;
    Complex<W> a[4] = {get<W>(p), get<W>(p + row), get<W>(p + 2 * row), get<W>(p + 3 * row)};
    dft4<W>(a);
    for (int q = 0; q < 4; ++q) a[q] = times<W>(a[q], h + 2 * q);
    idft4<W>(a);
    for (int q = 0; q < 4; ++q) put<W>(p + q * row, a[q]);
}

// Eight points: even and odd frequencies after one radix-2 step.
template <int W>
HEADRACE_INLINE void split8(const double* p, Complex<W> (&even)[4], Complex<W> (&odd)[4]) {
    constexpr auto row = Lanes<W>::row;
    for (int q = 0; q < 4; ++q) {
        const auto a = get<W>(p + q * row), b = get<W>(p + (q + 4) * row);
        even[q] = add<W>(a, b);
        odd[q] = sub<W>(a, b);
    }
    odd[1] = {(odd[1].re + odd[1].im) * sqrt_half, (odd[1].im - odd[1].re) * sqrt_half};
    odd[2] = {odd[2].im, -odd[2].re};
    odd[3] = {(odd[3].im - odd[3].re) * sqrt_half, -((odd[3].re + odd[3].im) * sqrt_half)};
    dft4<W>(even);
    dft4<W>(odd);
}

template <int W>
HEADRACE_INLINE void leaf8(double* p, const double* h) {
    constexpr auto row = Lanes<W>::row;
    Complex<W> even[4], odd[4];
    split8<W>(p, even, odd);
    for (int q = 0; q < 4; ++q) even[q] = times<W>(even[q], h + 2 * q);
    for (int q = 0; q < 4; ++q) odd[q] = times<W>(odd[q], h + 8 + 2 * q);
    idft4<W>(even);
    idft4<W>(odd);
    odd[1] = {(odd[1].re - odd[1].im) * sqrt_half, (odd[1].im + odd[1].re) * sqrt_half};
    odd[2] = {-odd[2].im, odd[2].re};
    odd[3] = {-((odd[3].re + odd[3].im) * sqrt_half), (odd[3].re - odd[3].im) * sqrt_half};
    for (int q = 0; q < 4; ++q) {
        put<W>(p + q * row, add<W>(even[q], odd[q]));
        put<W>(p + (q + 4) * row, sub<W>(even[q], odd[q]));
    }
}

// A whole transform that sits in the first-level cache: `n` consecutive rows at `p`, number `first` of the whole; its first level is
// `level`. `ahead` is told the row of every leaf.
template <int W, class Ahead>
static void convolve_cached(const FirPlan& plan, double* p, std::int64_t first, std::int64_t n, int level, const Ahead& ahead) {
    constexpr auto row = Lanes<W>::row;
    const double* h = plan.spectrum + 2 * first;
    int i = level;
    for (std::int64_t m = n; m > plan.leaf; m /= 4, ++i)
        for (std::int64_t b = 0; b < n; b += m) down_run<W>(p + b * row, m / 4 * row, plan.twiddles[i], m / 4);
    if (plan.leaf == 4)
        for (std::int64_t b = 0; b < n; b += 4) {
            ahead(first + b);
            leaf4<W>(p + b * row, h + 2 * b);
        }
    else
        for (std::int64_t b = 0; b < n; b += 8) {
            ahead(first + b);
            leaf8<W>(p + b * row, h + 2 * b);
        }
    for (std::int64_t m = 4 * plan.leaf; m <= n; m *= 4) {
        --i;
        for (std::int64_t b = 0; b < n; b += m) up_run<W>(p + b * row, m / 4 * row, plan.twiddles[i], m / 4);
    }
}

// Where row r of the workspace lies. Runs of `inner` rows are contiguous; between them, and again between groups of 4, 16, ... of them,
// `pad` rows are left out. The legs of a pass are a power of two apart and would otherwise share a few sets of the caches and evict
// each other; so they are an odd number of pads apart, at every level.
struct Layout {
    std::int64_t inner = 0;  // transforms of this many rows are done by convolve_cached
    std::int64_t pad = 0;
    std::int64_t at(std::int64_t r) const {
        std::int64_t position = r;
        for (std::int64_t n = r / inner; n > 0; n /= 4) position += n * pad;
        return position;
    }
};

// Rows of each leg that a pass over several cached transforms handles at a time: 1 KiB. Also the padding.
template <int W>
static constexpr std::int64_t tile_rows = W >= 8 ? 8 : 16;

template <int W>
static Layout layout_of(const FirPlan& plan) {
    constexpr std::int64_t cached_bytes = W >= 8 ? 32768 : 16384;  // machines with lanes of eight have 48 KiB
    constexpr std::int64_t cached_rows = cached_bytes / (8 * Lanes<W>::row);
    std::int64_t inner = plan.length;
    while (inner > cached_rows && inner > 4 * tile_rows<W>) inner /= 4;
    return {inner, inner == plan.length ? 0 : tile_rows<W>};
}

// One or two levels on rows [j, j + count) of each of the 4 or 16 legs of a transform of n rows at `p`.
template <int W>
HEADRACE_INLINE void down_tile(const FirPlan& plan, const Layout& at, double* p, std::int64_t n, int level, int depth, std::int64_t j,
                               std::int64_t count) {
    const std::int64_t wide = at.at(n / 4) * Lanes<W>::row;
    p += at.at(j) * Lanes<W>::row;
    if (depth == 1) return down_run<W>(p, wide, plan.twiddles[level] + 6 * j, count);
    const std::int64_t narrow = at.at(n / 16) * Lanes<W>::row;
    for (int q = 0; q < 4; ++q) down_run<W>(p + q * narrow, wide, plan.twiddles[level] + 6 * (j + q * (n / 16)), count);
    for (int q = 0; q < 4; ++q) down_run<W>(p + q * wide, narrow, plan.twiddles[level + 1] + 6 * j, count);
}

template <int W>
HEADRACE_INLINE void up_tile(const FirPlan& plan, const Layout& at, double* p, std::int64_t n, int level, int depth, std::int64_t j,
                             std::int64_t count) {
    const std::int64_t wide = at.at(n / 4) * Lanes<W>::row;
    p += at.at(j) * Lanes<W>::row;
    if (depth == 1) return up_run<W>(p, wide, plan.twiddles[level] + 6 * j, count);
    const std::int64_t narrow = at.at(n / 16) * Lanes<W>::row;
    for (int q = 0; q < 4; ++q) up_run<W>(p + q * wide, narrow, plan.twiddles[level + 1] + 6 * j, count);
    for (int q = 0; q < 4; ++q) up_run<W>(p + q * narrow, wide, plan.twiddles[level] + 6 * (j + q * (n / 16)), count);
}

HEADRACE_INLINE int depth_of(const Layout& at, std::int64_t n) { return n / 4 > at.inner ? 2 : 1; }

// Depth first: every sub-transform is finished, forward, product and inverse, while it is in the nearest cache that holds it.
template <int W, class Ahead>
static void convolve_node(const FirPlan& plan, const Layout& at, double* p, std::int64_t first, std::int64_t n, int level,
                          const Ahead& ahead) {
    if (n <= at.inner) return convolve_cached<W>(plan, p, first, n, level, ahead);
    const int depth = depth_of(at, n);
    const std::int64_t child = n >> (2 * depth);
    for (std::int64_t j = 0; j < child; j += tile_rows<W>) down_tile<W>(plan, at, p, n, level, depth, j, tile_rows<W>);
    for (std::int64_t c = 0; c < n; c += child)
        convolve_node<W>(plan, at, p + at.at(c) * Lanes<W>::row, first + c, child, level + depth, ahead);
    for (std::int64_t j = 0; j < child; j += tile_rows<W>) up_tile<W>(plan, at, p, n, level, depth, j, tile_rows<W>);
}

// Forward only, one lane, no padding: the spectrum of the taps comes from the same arithmetic as that of the signal.
static void forward(const FirPlan& plan, double* p) {
    std::int64_t m = plan.length;
    for (int i = 0; i < plan.levels; ++i, m /= 4)
        for (std::int64_t b = 0; b < plan.length; b += m) down_run<1>(p + 2 * b, m / 4 * 2, plan.twiddles[i], m / 4);
    for (std::int64_t b = 0; b < plan.length; b += m) {
        double* q = p + 2 * b;
        Complex<1> a[4], c[4];
        if (plan.leaf == 4) {
            for (int k = 0; k < 4; ++k) a[k] = get<1>(q + 2 * k);
            dft4<1>(a);
        } else {
            split8<1>(q, a, c);
            for (int k = 0; k < 4; ++k) put<1>(q + 8 + 2 * k, c[k]);
        }
        for (int k = 0; k < 4; ++k) put<1>(q + 2 * k, a[k]);
    }
}
