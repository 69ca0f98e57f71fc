// out = round(double(src) * scale + offset): two roundings in float64, one more to the output.

template <class S, class D>
static void affine_loop(const AffineJob& job) {
    const S* __restrict src = static_cast<const S*>(job.src);
    D* __restrict dst = static_cast<D*>(job.dst);
    if (job.period == 1) {
        const double scale = job.scale[0], offset = job.offset[0];
        for (std::int64_t i = 0; i < job.count; ++i) dst[i] = static_cast<D>(static_cast<double>(src[i]) * scale + offset);
        return;
    }
    const double* __restrict scale = job.scale;
    const double* __restrict offset = job.offset;
    for (std::int64_t b = 0; b < job.count; b += job.period) {
        const std::int64_t n = job.count - b < job.period ? job.count - b : job.period;
        for (std::int64_t i = 0; i < n; ++i)
            dst[b + i] = static_cast<D>(static_cast<double>(src[b + i]) * scale[i] + offset[i]);
    }
}

template <class D>
static void affine_to(const AffineJob& job) {
    switch (component(job.src_type)) {
        case SampleType::i8: return affine_loop<std::int8_t, D>(job);
        case SampleType::u8: return affine_loop<std::uint8_t, D>(job);
        case SampleType::i16: return affine_loop<std::int16_t, D>(job);
        case SampleType::u16: return affine_loop<std::uint16_t, D>(job);
        case SampleType::i32: return affine_loop<std::int32_t, D>(job);
        case SampleType::u32: return affine_loop<std::uint32_t, D>(job);
        case SampleType::i64: return affine_loop<std::int64_t, D>(job);
        case SampleType::u64: return affine_loop<std::uint64_t, D>(job);
        case SampleType::f32: return affine_loop<float, D>(job);
        default: return affine_loop<double, D>(job);
    }
}

static void affine(const AffineJob& job) {
    return component(job.dst_type) == SampleType::f32 ? affine_to<float>(job) : affine_to<double>(job);
}
