// Direct convolution with other taps in each channel: W channels side by side, blocks of rows, taps in rising order for every output.

// `count` samples of W channels from c on, each from its own place; what does not exist is zero.
template <int W, class S>
static void load_delayed(const ConstSamples& in, const std::int64_t* from, std::int64_t c, int width, std::int64_t count, double* rows) {
    const S* base = static_cast<const S*>(in.data);
    bool together = width == W;
    for (int l = 1; l < width; ++l) together = together && from[l] == from[0];
    if (together && from[0] >= in.start && from[0] + count <= in.start + in.count) {
        const S* p = base + (from[0] - in.start) * in.channels + c;
        for (std::int64_t i = 0; i < count; ++i, p += in.channels) store_row<W>(rows + i * W, load_convert<W, S>(p));
        return;
    }
    for (std::int64_t i = 0; i < count; ++i)
        for (int l = 0; l < W; ++l) {
            const std::int64_t at = l < width ? from[l] + i - in.start : -1;
            rows[i * W + l] = at >= 0 && at < in.count ? static_cast<double>(base[at * in.channels + c + l]) : 0.0;
        }
}

template <int W>
static void load_delayed_any(const ConstSamples& in, const std::int64_t* from, std::int64_t c, int width, std::int64_t count,
                             double* rows) {
    switch (in.type) {
        case SampleType::i8: return load_delayed<W, std::int8_t>(in, from, c, width, count, rows);
        case SampleType::u8: return load_delayed<W, std::uint8_t>(in, from, c, width, count, rows);
        case SampleType::i16: return load_delayed<W, std::int16_t>(in, from, c, width, count, rows);
        case SampleType::u16: return load_delayed<W, std::uint16_t>(in, from, c, width, count, rows);
        case SampleType::i32: return load_delayed<W, std::int32_t>(in, from, c, width, count, rows);
        case SampleType::u32: return load_delayed<W, std::uint32_t>(in, from, c, width, count, rows);
        case SampleType::i64: return load_delayed<W, std::int64_t>(in, from, c, width, count, rows);
        case SampleType::u64: return load_delayed<W, std::uint64_t>(in, from, c, width, count, rows);
        case SampleType::f32: return load_delayed<W, float>(in, from, c, width, count, rows);
        default: return load_delayed<W, double>(in, from, c, width, count, rows);
    }
}

// R outputs of W channels at once, so that a row of taps is loaded once for all of them.
template <int W, int R>
HEADRACE_INLINE void convolve_rows(const double* x, const double* h, std::int64_t taps, double* y) {
    using V = typename Lanes<W>::V;
    V sums[R] = {};
#pragma GCC unroll 1  // GCC else joins several k, and the sums no longer fit the registers
    for (std::int64_t k = 0; k < taps; ++k) {
        const V tap = load_row<W>(h + k * W);
        const double* from = x + (taps - 1 - k) * W;
        for (int r = 0; r < R; ++r) sums[r] = sums[r] + tap * load_row<W>(from + r * W);
    }
    // One bit pattern for NaN: which operand's a sum of two keeps is the compiler's choice.
    const V undefined = V{} + __builtin_nan("");
    for (int r = 0; r < R; ++r) store_row<W>(y + r * W, sums[r] == sums[r] ? sums[r] : undefined);
}

template <int W, class D>
static void store_delayed(const Samples& out, std::int64_t row, std::int64_t c, int width, std::int64_t count, const double* y) {
    D* p = static_cast<D*>(out.data) + row * out.channels + c;
    for (std::int64_t i = 0; i < count; ++i, p += out.channels) {
        if (width == W) {
            convert_store<W, D>(p, load_row<W>(y + i * W));
            continue;
        }
        for (int l = 0; l < width; ++l) p[l] = static_cast<D>(y[i * W + l]);
    }
}

static void delay(const DelayJob& job) {
    constexpr int W = HEADRACE_MAX_LANES, R = 8;
    const std::int64_t channels = job.in.channels, reach = job.taps - 1;
    double* x = job.scratch;
    double* h = x + (delay_block + reach) * W;
    double* y = h + job.taps * W;
    for (std::int64_t row = 0; row < job.out.count; row += delay_block) {
        const std::int64_t count = job.out.count - row < delay_block ? job.out.count - row : delay_block;
        for (std::int64_t c = 0; c < channels; c += W) {
            const int width = channels - c < W ? static_cast<int>(channels - c) : W;
            std::int64_t from[W];
            for (int l = 0; l < W; ++l) {
                const std::int64_t channel = c + (l < width ? l : 0);
                from[l] = job.out.start + row - job.lag[channel] - reach;
                for (std::int64_t k = 0; k < job.taps; ++k) h[k * W + l] = job.coefficients[channel * job.taps + k];
            }
            load_delayed_any<W>(job.in, from, c, width, count + reach, x);
            std::int64_t i = 0;
            for (; i + R <= count; i += R) convolve_rows<W, R>(x + i * W, h, job.taps, y + i * W);
            for (; i < count; ++i) convolve_rows<W, 1>(x + i * W, h, job.taps, y + i * W);
            for (int l = 0; l < width; ++l) {
                const std::int64_t single = job.single[c + l];
                if (single < 0) continue;
                for (std::int64_t r = 0; r < count; ++r) y[r * W + l] = x[(r + reach - single) * W + l];
            }
            if (job.out.type == SampleType::f32)
                store_delayed<W, float>(job.out, row, c, width, count, y);
            else
                store_delayed<W, double>(job.out, row, c, width, count, y);
        }
    }
}
