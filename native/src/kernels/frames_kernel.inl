// Pairs of frames in lanes: even frames are the real parts, odd ones the imaginary parts of a complex transform Z, of which
// X1[k] = (Z[k] + conj Z[N - k]) / 2 and X2[k] = (Z[k] - conj Z[N - k]) / 2i. The window is half of itself, so that no division is left.

template <int W>
HEADRACE_INLINE typename Lanes<W>::V load_unaligned(const double* p) {
    return *reinterpret_cast<const typename Lanes<W>::Unaligned*>(p);
}

// Rows [row, row + count) of the workspace: samples from `sample` on of the frames that `at` shows, under the window. `part` is 0 for
// real and W for imaginary parts; `odd` becomes NaN in lanes whose samples are not finite.
template <int W>
HEADRACE_INLINE void load_frames(const FramesJob& job, const double* const (&at)[W], std::int64_t sample, std::int64_t row,
                                 std::int64_t count, double* p, int part, typename Lanes<W>::V& odd) {
    double* out = p + row * Lanes<W>::row + part;
    const double* w = job.window + sample;
    std::int64_t i = 0;
    for (; i + W <= count; i += W) {
        typename Lanes<W>::V r[W];
        for (int l = 0; l < W; ++l) r[l] = load_unaligned<W>(at[l] + sample + i);
        transpose<W>(r);
        typename Lanes<W>::V here = {};
        for (int l = 0; l < W; ++l) {
            const auto v = r[l] * w[i + l];
            here += v * 0.0;
            store_row<W>(out + (i + l) * Lanes<W>::row, v);
        }
        odd += here;
    }
    for (; i < count; ++i) {
        double x[W];
        for (int l = 0; l < W; ++l) x[l] = at[l][sample + i];
        const auto v = load_unaligned<W>(x) * w[i];
        odd += v * 0.0;
        store_row<W>(out + i * Lanes<W>::row, v);
    }
}

// One part, real or imaginary, of all rows.
template <int W>
static void load_part(const FramesJob& job, const double* const (&at)[W], double* p, int part, typename Lanes<W>::V& odd) {
    const std::int64_t n = job.plan->length, head = job.nperseg - job.turn;
    load_frames<W>(job, at, job.turn, 0, head, p, part, odd);
    const typename Lanes<W>::V nothing = {};
    for (std::int64_t r = head; r < n - job.turn; ++r) store_row<W>(p + r * Lanes<W>::row + part, nothing);
    load_frames<W>(job, at, 0, n - job.turn, job.turn, p, part, odd);
}

// The levels of a transform of n rows from `level` on, in each lane and in place. Depth first, so that what fits the nearest cache is
// finished there.
template <int W>
static void transform_rows(const FirPlan& plan, double* p, std::int64_t n, int level) {
    constexpr auto row = Lanes<W>::row;
    constexpr std::int64_t cached = 32768 / (8 * row);
    if (n > cached && n > plan.leaf) {
        down_run<W>(p, n / 4 * row, plan.twiddles[level], n / 4);
        for (int q = 0; q < 4; ++q) transform_rows<W>(plan, p + q * (n / 4) * row, n / 4, level + 1);
        return;
    }
    std::int64_t m = n;
    for (; m > plan.leaf; m /= 4, ++level)
        for (std::int64_t b = 0; b < n; b += m) down_run<W>(p + b * row, m / 4 * row, plan.twiddles[level], m / 4);
    for (std::int64_t b = 0; b < n; b += m) {
        double* q = p + b * row;
        Complex<W> a[4], c[4];
        if (plan.leaf == 4) {
            for (int k = 0; k < 4; ++k) a[k] = get<W>(q + k * row);
            dft4<W>(a);
        } else {
            split8<W>(q, a, c);
            for (int k = 0; k < 4; ++k) put<W>(q + (k + 4) * row, c[k]);
        }
        for (int k = 0; k < 4; ++k) put<W>(q + k * row, a[k]);
    }
}

template <class T, bool Power>
HEADRACE_INLINE void give(T* out, std::int64_t k, double re, double im) {
    if constexpr (Power) out[k] = static_cast<T>(re * re + im * im);
    else {
        out[2 * k] = static_cast<T>(re);
        out[2 * k + 1] = static_cast<T>(im);
    }
}

// The frames of W pairs, taken apart. `bad` says which hold values that are not finite.
template <int W, class T, bool Power>
static void store_frames(const FramesJob& job, const double* p, std::int64_t first, const bool (&bad)[2 * W]) {
    constexpr auto row = Lanes<W>::row;
    constexpr int width = Power ? 1 : 2;
    const std::int64_t n = job.plan->length;
    T* out[2 * W];
    const int frames = job.frames - first < 2 * W ? static_cast<int>(job.frames - first) : 2 * W;
    for (int f = 0; f < frames; ++f) out[f] = static_cast<T*>(job.out) + (first + f) * job.row * width;
    for (std::int64_t k = 0; k <= n / 2; ++k) {
        const auto a = get<W>(p + job.place[k] * row), b = get<W>(p + job.place[(n - k) & (n - 1)] * row);
        double even_re[W], even_im[W], odd_re[W], odd_im[W];
        const auto er = a.re + b.re, ei = a.im - b.im, dr = a.im + b.im, di = b.re - a.re;
        __builtin_memcpy(even_re, &er, sizeof er);
        __builtin_memcpy(even_im, &ei, sizeof ei);
        __builtin_memcpy(odd_re, &dr, sizeof dr);
        __builtin_memcpy(odd_im, &di, sizeof di);
        if (frames == 2 * W)
            for (int l = 0; l < W; ++l) {
                give<T, Power>(out[2 * l], k, even_re[l], even_im[l]);
                give<T, Power>(out[2 * l + 1], k, odd_re[l], odd_im[l]);
            }
        else
            for (int f = 0; f < frames; ++f)
                if (f % 2 == 0) give<T, Power>(out[f], k, even_re[f / 2], even_im[f / 2]);
                else give<T, Power>(out[f], k, odd_re[f / 2], odd_im[f / 2]);
    }
    for (int f = 0; f < frames; ++f)
        for (std::int64_t k = 0; bad[f] && k < width * (n / 2 + 1); ++k) out[f][k] = static_cast<T>(__builtin_nan(""));
}

// Powers of W pairs, from pair `first` on, into cells of eight: pair j goes to cell j % 8, so that the number of lanes cannot matter.
template <int W>
static void add_powers(const FramesJob& job, const double* p, std::int64_t first) {
    double* cells = job.cells + first % frames_sums;
    for (std::int64_t r = 0; r < job.plan->length; ++r, p += Lanes<W>::row, cells += frames_sums) {
        const auto z = get<W>(p);
        const auto sum = load_unaligned<W>(cells) + (z.re * z.re + z.im * z.im);
        __builtin_memcpy(cells, &sum, sizeof sum);
    }
}

// |X1|^2 + |X2|^2 is (|Z[k]|^2 + |Z[N - k]|^2) / 2, and Z here is half of that Z.
static void fold_powers(const FramesJob& job) {
    const std::int64_t n = job.plan->length;
    const auto total = [&](std::int64_t k) {
        const double* cells = job.cells + job.place[k] * frames_sums;
        double sum = 0;
        for (int j = 0; j < frames_sums; ++j) sum += cells[j];
        return sum;
    };
    for (std::int64_t k = 0; k <= n / 2; ++k) job.sums[k] += 2 * (total(k) + total((n - k) & (n - 1)));
}

template <int W>
static void frames_lanes(const FramesJob& job, double* p) {
    for (std::int64_t first = 0; first < job.frames; first += 2 * W) {
        const double *even[W], *odd[W];
        for (int l = 0; l < W; ++l) {
            const std::int64_t frame = first + 2 * l;
            even[l] = frame < job.frames ? job.line + frame * job.hop : job.zeros;
            odd[l] = frame + 1 < job.frames ? job.line + (frame + 1) * job.hop : job.zeros;
        }
        typename Lanes<W>::V sides[2] = {};
        load_part<W>(job, even, p, 0, sides[0]);
        load_part<W>(job, odd, p, W, sides[1]);
        bool bad[2 * W];
        if (job.sums == nullptr) {
            bool any = false;
            for (int l = 0; l < W; ++l) {
                bad[2 * l] = sides[0][l] != sides[0][l];
                bad[2 * l + 1] = sides[1][l] != sides[1][l];
                if (bad[2 * l]) even[l] = job.zeros;
                if (bad[2 * l + 1]) odd[l] = job.zeros;
                any = any || bad[2 * l] || bad[2 * l + 1];
            }
            if (any) {  // once more without them: the other frame of a pair is not to suffer
                load_part<W>(job, even, p, 0, sides[0]);
                load_part<W>(job, odd, p, W, sides[1]);
            }
        }
        transform_rows<W>(*job.plan, p, job.plan->length, 0);
        if (job.sums != nullptr) add_powers<W>(job, p, first / 2);
        else if (job.type == SampleType::c64) store_frames<W, float, false>(job, p, first, bad);
        else if (job.type == SampleType::c128) store_frames<W, double, false>(job, p, first, bad);
        else if (job.type == SampleType::f32) store_frames<W, float, true>(job, p, first, bad);
        else store_frames<W, double, true>(job, p, first, bad);
    }
    if (job.sums != nullptr) fold_powers(job);
}

static void frames_run(const FramesJob& job, int lanes, double* workspace) {
    if constexpr (max_lanes >= 8)
        if (lanes == 8) return frames_lanes<8>(job, workspace);
    if constexpr (max_lanes >= 4)
        if (lanes == 4) return frames_lanes<4>(job, workspace);
    if (lanes == 2) return frames_lanes<2>(job, workspace);
    frames_lanes<1>(job, workspace);
}
