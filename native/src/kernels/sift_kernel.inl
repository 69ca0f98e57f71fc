// One pass of a selection; see SiftJob.

template <class T, class K>
static void sift_type(SiftJob& job) {
    using Keys = ValueKeys<T, K>;
    const Keys keys{static_cast<const T*>(job.src)};
    const Sieve<K> sieve{static_cast<K>(job.hole_lo), static_cast<K>(job.hole_hi), static_cast<K>(job.lo), static_cast<K>(job.hi)};
    K* const kept = static_cast<K*>(job.kept);
    const std::int64_t n = job.count, capacity = job.capacity;
    std::int64_t inner = 0, within = 0, missing = 0, i = 0;
#ifdef __AVX2__
    constexpr int W = sift_width<K>;
    for (; i + W <= n; i += W) {
        const auto v = Keys::template many<W>(keys, i);
        const Sifted found = sift_step(as_vector(K(), &v), sieve, kept + (within < capacity ? within : capacity));
        inner += found.inner;
        within += found.within;
        missing += found.missing;
    }
#endif
    for (; i < n; ++i) {
        const K v = Keys::one(keys, i);
        const bool hole = (v >= sieve.hole_lo) & (v <= sieve.hole_hi);
        inner += hole;
        kept[within < capacity ? within : capacity] = v;
        within += (v >= sieve.lo) & (v <= sieve.hi) & !hole;
        missing += v != v;
    }
    job.inner = inner;
    job.within = within;
    job.missing = missing;
}

static void sift(SiftJob& job) {
    switch (job.type) {
        case SampleType::i8: return sift_type<std::int8_t, float>(job);
        case SampleType::u8: return sift_type<std::uint8_t, float>(job);
        case SampleType::i16: return sift_type<std::int16_t, float>(job);
        case SampleType::u16: return sift_type<std::uint16_t, float>(job);
        case SampleType::i32: return sift_type<std::int32_t, double>(job);
        case SampleType::u32: return sift_type<std::uint32_t, double>(job);
        case SampleType::f32: return sift_type<float, float>(job);
        default: return sift_type<double, double>(job);
    }
}
