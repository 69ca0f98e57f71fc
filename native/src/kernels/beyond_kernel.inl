// Which samples lie beyond two thresholds. The float64 comparison is made in the sample's own type: x > t holds exactly if x > s, the
// largest value of the type that is not above t.

template <class T>
static constexpr bool is_integer_type = T(1) / T(2) == T(0);

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

template <int size>
struct MaskOf;
template <> struct MaskOf<1> { using Type = std::uint8_t; };
template <> struct MaskOf<2> { using Type = std::uint16_t; };
template <> struct MaskOf<4> { using Type = std::uint32_t; };
template <> struct MaskOf<8> { using Type = std::uint64_t; };

template <int n, class T>
HEADRACE_INLINE bool any_beyond(const T* p, T above, T below) {
    typename MaskOf<sizeof(T)>::Type any = 0;
    for (int i = 0; i < n; ++i) any |= (p[i] > above) | (p[i] < below);
    return any != 0;
}

// Vectors find stretches in which nothing is beyond, which most are; the bits of the others are set one by one.
template <class T>
static bool beyond_type(const BeyondJob& job) {
    constexpr int word = 64, stretch = 4 * word;
    const T* x = static_cast<const T*>(job.src);
    const T above = rounded_down<T>(job.above), below = rounded_up<T>(job.below);
    bool found = false;
    for (std::int64_t start = 0; start < job.count;) {
        std::uint64_t* words = job.words + start / word;
        if (start % stretch == 0 && job.count - start >= stretch && !any_beyond<stretch>(x + start, above, below)) {
            for (int w = 0; w < stretch / word; ++w) words[w] = 0;
            start += stretch;
            continue;
        }
        const T* p = x + start;
        const int n = job.count - start < word ? static_cast<int>(job.count - start) : word;
        std::uint64_t bits = 0;
        if (n < word || any_beyond<word>(p, above, below))
            for (int i = 0; i < n; ++i) bits |= static_cast<std::uint64_t>((p[i] > above) | (p[i] < below)) << i;
        *words = bits;
        found |= bits != 0;
        start += n;
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
