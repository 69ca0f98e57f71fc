// Which samples lie beyond two thresholds. The float64 comparison is made in the sample's own type: x > t holds exactly if x > s, the
// largest value of the type that is not above t.

template <class T>
static constexpr bool is_integer_type = T(1) / T(2) == T(0);
template <class T>
static constexpr bool is_signed_type = T(-1) < T(0);
template <class T>
static constexpr T highest = is_signed_type<T> ? static_cast<T>((std::uint64_t(1) << (8 * sizeof(T) - 1)) - 1) : static_cast<T>(-1);
template <class T>
static constexpr T lowest = is_signed_type<T> ? static_cast<T>(-highest<T> - 1) : T(0);

template <class T>
static T rounded_down(double t) {
    if constexpr (sizeof(T) == 8) {
        return t;
    } else if constexpr (is_integer_type<T>) {
        return t >= static_cast<double>(highest<T>) ? highest<T> : t <= static_cast<double>(lowest<T>) ? lowest<T> : static_cast<T>(__builtin_floor(t));
    } else {
        if (t > 3.4028234663852886e38) return t > 1.7976931348623157e308 ? static_cast<T>(__builtin_inff()) : 3.4028234663852886e38f;
        if (t < -3.4028234663852886e38) return -__builtin_inff();
        const float s = static_cast<float>(t);
        return static_cast<double>(s) > t ? __builtin_nextafterf(s, -__builtin_inff()) : s;
    }
}

template <class T>
static T rounded_up(double t) {
    if constexpr (sizeof(T) == 8) {
        return t;
    } else if constexpr (is_integer_type<T>) {
        return t >= static_cast<double>(highest<T>) ? highest<T> : t <= static_cast<double>(lowest<T>) ? lowest<T> : static_cast<T>(__builtin_ceil(t));
    } else {
        return -rounded_down<T>(-t);
    }
}

// 64 samples at a time: most hold nothing, which vectors find out; the bits of the others are set one by one.
template <class T>
static bool beyond_type(const BeyondJob& job) {
    constexpr int word = 64;
    const T* x = static_cast<const T*>(job.src);
    const T above = rounded_down<T>(job.above), below = rounded_up<T>(job.below);
    bool found = false;
    for (std::int64_t start = 0, w = 0; start < job.count; start += word, ++w) {
        const T* p = x + start;
        const int n = job.count - start < word ? static_cast<int>(job.count - start) : word;
        std::uint64_t bits = 0;
        if (n == word) {
            T any[16] = {};
            for (int i = 0; i < word; i += 16)
                for (int l = 0; l < 16; ++l) any[l] = (p[i + l] > above) | (p[i + l] < below) ? T(1) : any[l];
            T some = 0;
            for (int l = 0; l < 16; ++l) some += any[l];
            if (some == T(0)) {
                job.words[w] = 0;
                continue;
            }
        }
        for (int i = 0; i < n; ++i) bits |= static_cast<std::uint64_t>((p[i] > above) | (p[i] < below)) << i;
        job.words[w] = bits;
        found |= bits != 0;
    }
    return found;
}

static bool beyond(const BeyondJob& job) {
    switch (job.type) {
        case SampleType::i8: return beyond_type<std::int8_t>(job);
        case SampleType::u8: return beyond_type<std::uint8_t>(job);
        case SampleType::i16: return beyond_type<std::int16_t>(job);
        case SampleType::u16: return beyond_type<std::uint16_t>(job);
        case SampleType::i32: return beyond_type<std::int32_t>(job);
        case SampleType::u32: return beyond_type<std::uint32_t>(job);
        case SampleType::f32: return beyond_type<float>(job);
        default: return beyond_type<double>(job);
    }
}
