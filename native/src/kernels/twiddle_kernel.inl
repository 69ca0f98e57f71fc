// Rows times roots of unity, transposed to tiles. Every value has its own scalar operations, in one order: the root of its run's first
// column, times that of its place in the run, times the value.

struct Root {
    double re, im;
};

// exp(-2 pi i exponent / order) for 0 <= exponent < order.
static inline Root root_at(const RootTables& roots, std::int64_t exponent) {
    const double* high = roots.high + 2 * (exponent >> roots.shift);
    const double* low = roots.low + 2 * (exponent & ((std::int64_t{1} << roots.shift) - 1));
    return {high[0] * low[0] - high[1] * low[1], high[0] * low[1] + high[1] * low[0]};
}

template <class T>
static void twiddle_rows(const TwiddleJob& job) {
    constexpr std::int64_t run = twiddle_run;
    const T* in = static_cast<const T*>(job.in);
    T* out = static_cast<T*>(job.out);
    const std::int64_t side = job.side, columns = job.columns;
    for (std::int64_t k = 0; k < job.rows; ++k, in += 2 * columns) {
        double step_re[run], step_im[run];
        for (std::int64_t i = 0; i < run; ++i) {
            const bool used = i < columns;  // beyond the last column an exponent might be too large
            const Root step = root_at(job.roots, used ? k * i : 0);
            step_re[i] = step.re;
            step_im[i] = job.inverse ? -step.im : step.im;
        }
        T* tile = out + 2 * (k / side * columns * side + k % side);
        for (std::int64_t first = 0; first < columns; first += run) {
            Root base = root_at(job.roots, k * (job.column + first));
            if (job.inverse) base.im = -base.im;
            const std::int64_t count = columns - first < run ? columns - first : run;
            T found[2 * run];
            for (std::int64_t i = 0; i < count; ++i) {
                const double w_re = base.re * step_re[i] - base.im * step_im[i], w_im = base.re * step_im[i] + base.im * step_re[i];
                const double x_re = in[2 * (first + i)], x_im = in[2 * (first + i) + 1];
                found[2 * i] = static_cast<T>(x_re * w_re - x_im * w_im);
                found[2 * i + 1] = static_cast<T>(x_re * w_im + x_im * w_re);
            }
            for (std::int64_t i = 0; i < count; ++i) {
                tile[2 * (first + i) * side] = found[2 * i];
                tile[2 * (first + i) * side + 1] = found[2 * i + 1];
            }
        }
    }
    for (std::int64_t k = job.rows; k % side != 0; ++k) {
        T* tile = out + 2 * (k / side * columns * side + k % side);
        for (std::int64_t i = 0; i < columns; ++i) tile[2 * i * side] = tile[2 * i * side + 1] = 0;
    }
}

static void twiddle(const TwiddleJob& job) { job.wide ? twiddle_rows<double>(job) : twiddle_rows<float>(job); }
