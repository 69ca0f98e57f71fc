// One pass of a selection; see SiftJob.

template <class Keys>
static void sift_keys(SiftJob& job, const Keys& keys) {
    using K = typename Keys::Key;
    const K lo = static_cast<K>(job.lo), hi = static_cast<K>(job.hi);
    K* const kept = static_cast<K*>(job.kept);
    const std::int64_t n = job.count, capacity = job.capacity;
    std::int64_t below = 0, within = 0, missing = 0, i = 0;
#ifdef __AVX2__
    constexpr int W = sift_width<K>;
    for (; i + W <= n; i += W) {
        const auto v = Keys::template many<W>(keys, i);
        const Sifted found = sift_step(as_vector(K(), &v), lo, hi, kept + (within < capacity ? within : capacity));
        below += found.below;
        within += found.within;
        missing += found.missing;
    }
#endif
    for (; i < n; ++i) {
        const K v = Keys::one(keys, i);
        below += v < lo;
        kept[within < capacity ? within : capacity] = v;
        within += (v >= lo) & (v <= hi);
        missing += v != v;
    }
    job.below = below;
    job.within = within;
    job.missing = missing;
}

template <class T, class K>
static void sift_type(SiftJob& job) {
    const T* x = static_cast<const T*>(job.src);
    if (job.deviation)
        sift_keys(job, DistanceKeys<T>{x, job.center});
    else
        sift_keys(job, ValueKeys<T, K>{x});
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
