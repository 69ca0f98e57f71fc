// From the caller's arrays to rows of doubles and back, with the one rounding. `at` counts elements from the array's first.

// What an invalid operation gives on this architecture. A NaN of the input takes this form too: which of two different NaNs an operation
// passes on would depend on the order in which a compiler puts its operands.
HEADRACE_INLINE double canonical_nan() {
#if defined(__x86_64__)
    const std::uint64_t bits = 0xfff8000000000000u;
#else
    const std::uint64_t bits = 0x7ff8000000000000u;
#endif
    double nan;
    __builtin_memcpy(&nan, &bits, sizeof nan);
    return nan;
}

template <class T>
static constexpr bool has_nan = T(1) / T(2) != T(0);

template <class T>
HEADRACE_INLINE double load_one(const T* p) {
    const double v = static_cast<double>(*p);
    if constexpr (has_nan<T>) return v == v ? v : canonical_nan();
    return v;
}

template <class T>
HEADRACE_INLINE typename Lanes<native_width>::V load_many(const T* p) {
    const auto v = load_convert<native_width, T>(p);
    if constexpr (has_nan<T>) return v == v ? v : all<decltype(+v)>(canonical_nan());
    return v;
}

// Eight consecutive channels to rows of eight; of fewer channels, the last one fills the lanes that are left over.
template <class T>
static void load_channels(const void* data, std::int64_t at, std::int64_t channels, std::int64_t count, double* rows) {
    const T* p = static_cast<const T*>(data) + at;
    for (std::int64_t r = 0; r < count; ++r, p += channels, rows += lanes_of_row) {
        if (channels >= lanes_of_row) {
            __builtin_prefetch(p + 16 * channels);
            for (int l = 0; l < lanes_of_row; l += native_width) store_row<native_width>(rows + l, load_many<T>(p + l));
        } else {
            for (int l = 0; l < lanes_of_row; ++l) rows[l] = load_one<T>(p + (l < channels ? l : channels - 1));
        }
    }
}

template <class T>
static void store_channels(void* data, std::int64_t at, std::int64_t channels, std::int64_t count, const double* rows) {
    T* p = static_cast<T*>(data) + at;
    for (std::int64_t r = 0; r < count; ++r, p += channels, rows += lanes_of_row) {
        if (channels >= lanes_of_row)
            for (int l = 0; l < lanes_of_row; l += native_width) convert_store<native_width, T>(p + l, load_row<native_width>(rows + l));
        else
            for (std::int64_t l = 0; l < channels; ++l) p[l] = static_cast<T>(rows[l]);
    }
}

// Asks for line number i of `bytes` bytes that will be read (0) or written (1) soon: eight blocks side by side are more streams, and
// shorter ones, than the machine follows by itself.
template <int Write>
HEADRACE_INLINE void ask_for(const char* p, std::int64_t i, std::int64_t bytes) {
    if (64 * i < bytes) __builtin_prefetch(p + 64 * i, Write, 2);
}

// One channel of a cell to rows of eight blocks; false if a sample is not finite. `next`: the element from which on as much will be read
// after this.
template <class T>
static bool load_blocks(const void* data, std::int64_t at, std::int64_t next, std::int64_t channels, double* rows) {
    using V = typename Lanes<native_width>::V;
    using M = typename Lanes<native_width>::M;
    const T* p = static_cast<const T*>(data) + at;
    const char* soon = static_cast<const char*>(data) + next * std::int64_t(sizeof(T));
    std::int64_t line = 0;
    M bits = {};  // v - v is +0 for a finite v and NaN otherwise
    for (int first = 0; first < lanes_of_row; first += native_width) {
        const T* block = p + first * sos_block * channels;
        double* out = rows + first;
        if (channels == 1) {
            for (std::int64_t r = 0; r < sos_block; r += native_width) {
                ask_for<0>(soon, line++, sos_cell * std::int64_t(sizeof(T)));
                V v[native_width];
                for (int l = 0; l < native_width; ++l) {
                    v[l] = load_convert<native_width, T>(block + l * sos_block + r);
                    if constexpr (has_nan<T>) bits |= reinterpret_cast<M>(v[l] - v[l]);
                }
                transpose<native_width>(v);
                for (int k = 0; k < native_width; ++k) store_row<native_width>(out + (r + k) * lanes_of_row, v[k]);
            }
        } else {
            for (std::int64_t r = 0; r < sos_block; ++r, out += lanes_of_row) {
                if (r % native_width == 0) ask_for<0>(soon, line++, sos_cell * std::int64_t(sizeof(T)));
                V v;
                for (int l = 0; l < native_width; ++l) v[l] = static_cast<double>(block[(l * sos_block + r) * channels]);
                if constexpr (has_nan<T>) bits |= reinterpret_cast<M>(v - v);
                store_row<native_width>(out, v);
            }
        }
    }
    std::int64_t any = 0;
    for (int l = 0; l < native_width; ++l) any |= bits[l];
    return any == 0;
}

template <class T>
static void store_blocks(void* data, std::int64_t at, std::int64_t channels, const double* rows) {
    using V = typename Lanes<native_width>::V;
    T* p = static_cast<T*>(data) + at;
    for (int first = 0; first < lanes_of_row; first += native_width) {
        T* block = p + first * sos_block * channels;
        const double* in = rows + first;
        if (channels == 1) {
            for (std::int64_t r = 0; r < sos_block; r += native_width) {
                V v[native_width];
                for (int k = 0; k < native_width; ++k) v[k] = load_row<native_width>(in + (r + k) * lanes_of_row);
                transpose<native_width>(v);
                for (int l = 0; l < native_width; ++l) convert_store<native_width, T>(block + l * sos_block + r, v[l]);
            }
        } else {
            for (std::int64_t r = 0; r < sos_block; ++r, in += lanes_of_row)
                for (int l = 0; l < native_width; ++l) block[(l * sos_block + r) * channels] = static_cast<T>(in[l]);
        }
    }
}

// One channel, sample after sample.
template <class T>
static void load_line(const void* data, std::int64_t at, std::int64_t channels, std::int64_t count, double* line) {
    const T* p = static_cast<const T*>(data) + at;
    for (std::int64_t i = 0; i < count; ++i) line[i] = load_one<T>(p + i * channels);
}

template <class T>
static void store_line(void* data, std::int64_t at, std::int64_t channels, std::int64_t count, const double* line) {
    T* p = static_cast<T*>(data) + at;
    for (std::int64_t i = 0; i < count; ++i) p[i * channels] = static_cast<T>(line[i]);
}

struct Loader {
    void (*channels)(const void*, std::int64_t at, std::int64_t channels, std::int64_t count, double* rows);
    bool (*blocks)(const void*, std::int64_t at, std::int64_t next, std::int64_t channels, double* rows);
    void (*line)(const void*, std::int64_t at, std::int64_t channels, std::int64_t count, double* line);
};

struct Storer {
    void (*channels)(void*, std::int64_t at, std::int64_t channels, std::int64_t count, const double* rows);
    void (*blocks)(void*, std::int64_t at, std::int64_t channels, const double* rows);
    void (*line)(void*, std::int64_t at, std::int64_t channels, std::int64_t count, const double* line);
};

template <class T>
static constexpr Loader loader = {load_channels<T>, load_blocks<T>, load_line<T>};
template <class T>
static constexpr Storer storer = {store_channels<T>, store_blocks<T>, store_line<T>};

static Loader loader_for(SampleType t) {
    switch (t) {
        case SampleType::i8: return loader<std::int8_t>;
        case SampleType::u8: return loader<std::uint8_t>;
        case SampleType::i16: return loader<std::int16_t>;
        case SampleType::u16: return loader<std::uint16_t>;
        case SampleType::i32: return loader<std::int32_t>;
        case SampleType::u32: return loader<std::uint32_t>;
        case SampleType::i64: return loader<std::int64_t>;
        case SampleType::u64: return loader<std::uint64_t>;
        case SampleType::f32: return loader<float>;
        default: return loader<double>;
    }
}

static Storer storer_for(SampleType t) { return t == SampleType::f32 ? storer<float> : storer<double>; }
