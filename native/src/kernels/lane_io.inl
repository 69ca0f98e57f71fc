// Between the caller's arrays and the rows of the workspace: conversion to float64, transposition to lanes, bounds, and the test for
// samples that are not finite; and the way back, with the one rounding.

// Element r of lane l is base[offset[l] + r * stride]; it exists for r in [first[l], last[l]).
template <int W>
struct Port {
    std::int64_t offset[W];
    std::int64_t first[W];
    std::int64_t last[W];
    std::int64_t stride = 0;
    std::int64_t safe_first = 0;  // rows in [safe_first, safe_last) exist in every lane
    std::int64_t safe_last = 0;
    std::int64_t any_first = 0;  // rows outside [any_first, any_last) exist in no lane
    std::int64_t any_last = 0;
    bool adjacent = false;  // lane l is lane 0 plus l elements
};

template <int W>
static void settle(Port<W>& port) {
    port.safe_first = port.any_first = port.first[0];
    port.safe_last = port.any_last = port.last[0];
    port.adjacent = true;
    for (int l = 1; l < W; ++l) {
        if (port.first[l] > port.safe_first) port.safe_first = port.first[l];
        if (port.last[l] < port.safe_last) port.safe_last = port.last[l];
        if (port.first[l] < port.any_first) port.any_first = port.first[l];
        if (port.last[l] > port.any_last) port.any_last = port.last[l];
        port.adjacent = port.adjacent && port.offset[l] == port.offset[0] + l;
    }
}

template <class T>
static constexpr bool may_be_nonfinite = T(1) / T(2) != T(0);

// x - x is +0 for a finite x and NaN otherwise: the bits of the sum of such tests are zero exactly if all of the x are finite.
template <int W, class T>
struct FiniteTest {
    typename Lanes<W>::M bits = {};
    inline __attribute__((always_inline)) void see(typename Lanes<W>::V v) {
        if constexpr (may_be_nonfinite<T>) bits |= reinterpret_cast<typename Lanes<W>::M>(v - v);
    }
    inline __attribute__((always_inline)) bool failed() const {
        std::int64_t any = 0;
        if constexpr (may_be_nonfinite<T>)
            for (int l = 0; l < W; ++l) any |= bits[l];
        return any != 0;
    }
};

// Rows [r, r + count) of one component to dst, dst + row, ...; true if a sample was not finite. No bounds are checked.
template <int W, class T>
static bool pack_rows(const void* data, const Port<W>& port, std::int64_t r, std::int64_t count, double* dst) {
    using V = typename Lanes<W>::V;
    constexpr auto row = Lanes<W>::row;
    const T* base = static_cast<const T*>(data);
    FiniteTest<W, T> test;
    std::int64_t i = 0;
    if (port.adjacent) {
        const T* p = base + port.offset[0] + r * port.stride;
        for (; i < count; ++i, p += port.stride) {
            __builtin_prefetch(p + count * port.stride);
            const V v = load_convert<W, T>(p);
            test.see(v);
            store_row<W>(dst + i * row, v);
        }
        return test.failed();
    }
    const T* p[W];
    for (int l = 0; l < W; ++l) p[l] = base + port.offset[l] + r * port.stride;
    if (port.stride == 1) {
        // The same legs of the next tile follow these in memory.
        for (int l = 0; l < W; ++l)
            for (std::int64_t b = 0; b < count * std::int64_t(sizeof(T)); b += 64)
                __builtin_prefetch(reinterpret_cast<const char*>(p[l] + count) + b);
        for (; i + W <= count; i += W) {
            V v[W];
            for (int l = 0; l < W; ++l) {
                v[l] = load_convert<W, T>(p[l] + i);
                test.see(v[l]);
            }
            transpose<W>(v);
            for (int k = 0; k < W; ++k) store_row<W>(dst + (i + k) * row, v[k]);
        }
    }
    for (; i < count; ++i) {
        V v;
        for (int l = 0; l < W; ++l) v[l] = static_cast<double>(p[l][i * port.stride]);
        test.see(v);
        store_row<W>(dst + i * row, v);
    }
    return test.failed();
}

// Both components with every check; samples that do not exist or are not finite become zero. A complex sample is one thing: if either
// component is not finite, both become zero (`joint`). Marks the lanes where that happened.
template <int W, class T>
static void pack_rows_checked(const void* data, const Port<W>& re, const Port<W>& im, bool has_im, bool joint, std::int64_t r,
                              std::int64_t count, double* dst, bool* marked) {
    const T* base = static_cast<const T*>(data);
    for (std::int64_t i = 0; i < count; ++i, dst += Lanes<W>::row) {
        for (int l = 0; l < W; ++l) {
            const std::int64_t at = r + i;
            double a = 0, b = 0;
            if (at >= re.first[l] && at < re.last[l]) a = static_cast<double>(base[re.offset[l] + at * re.stride]);
            if (has_im && at >= im.first[l] && at < im.last[l]) b = static_cast<double>(base[im.offset[l] + at * im.stride]);
            const bool bad_a = a - a != 0, bad_b = b - b != 0;
            if (bad_a || bad_b) marked[l] = true;
            dst[l] = bad_a || (joint && bad_b) ? 0.0 : a;
            dst[W + l] = bad_b || (joint && bad_a) ? 0.0 : b;
        }
    }
}

// Rows [r, r + count) of one component, rounded once. No bounds are checked.
template <int W, class T>
static void unpack_rows(void* data, const Port<W>& port, std::int64_t r, std::int64_t count, const double* src) {
    using V = typename Lanes<W>::V;
    constexpr auto row = Lanes<W>::row;
    T* base = static_cast<T*>(data);
    std::int64_t i = 0;
    if (port.adjacent) {
        T* p = base + port.offset[0] + r * port.stride;
        for (; i < count; ++i, p += port.stride) convert_store<W, T>(p, load_row<W>(src + i * row));
        return;
    }
    T* p[W];
    for (int l = 0; l < W; ++l) p[l] = base + port.offset[l] + r * port.stride;
    if (port.stride == 1) {
        for (; i + W <= count; i += W) {
            V v[W];
            for (int k = 0; k < W; ++k) v[k] = load_row<W>(src + (i + k) * row);
            transpose<W>(v);
            for (int l = 0; l < W; ++l) convert_store<W, T>(p[l] + i, v[l]);
        }
    }
    for (; i < count; ++i)
        for (int l = 0; l < W; ++l) p[l][i * port.stride] = static_cast<T>(src[i * row + l]);
}

template <int W, class T>
static void unpack_rows_checked(void* data, const Port<W>& port, std::int64_t r, std::int64_t count, const double* src) {
    T* base = static_cast<T*>(data);
    for (std::int64_t i = 0; i < count; ++i)
        for (int l = 0; l < W; ++l)
            if (r + i >= port.first[l] && r + i < port.last[l])
                base[port.offset[l] + (r + i) * port.stride] = static_cast<T>(src[i * Lanes<W>::row + l]);
}

static inline int component_size(SampleType t) { return static_cast<int>(item_size(component(t))); }

// Asks for the lines of rows [r, r + count) of lanes that run along memory: `Write` 0 to read, 1 to write.
template <int W, int Write>
HEADRACE_INLINE void prefetch_rows(const void* data, int size, const Port<W>& port, std::int64_t r, std::int64_t count) {
    if (port.stride > 2 || r < port.safe_first || r + count > port.safe_last) return;
    const std::int64_t step = port.stride * size;
    for (int l = 0; l < W; ++l) {
        const char* p = static_cast<const char*>(data) + port.offset[l] * size + r * step;
        for (std::int64_t b = 0; b < count * step; b += 64) __builtin_prefetch(p + b, Write, 2);
    }
}

template <int W>
struct Packer {
    bool (*rows)(const void*, const Port<W>&, std::int64_t, std::int64_t, double*);
    void (*checked)(const void*, const Port<W>&, const Port<W>&, bool, bool, std::int64_t, std::int64_t, double*, bool*);
};

template <int W>
struct Unpacker {
    void (*rows)(void*, const Port<W>&, std::int64_t, std::int64_t, const double*);
    void (*checked)(void*, const Port<W>&, std::int64_t, std::int64_t, const double*);
};

template <int W, class T>
static constexpr Packer<W> packer = {pack_rows<W, T>, pack_rows_checked<W, T>};
template <int W, class T>
static constexpr Unpacker<W> unpacker = {unpack_rows<W, T>, unpack_rows_checked<W, T>};

template <int W>
static Packer<W> packer_for(SampleType t) {
    switch (component(t)) {
        case SampleType::i8: return packer<W, std::int8_t>;
        case SampleType::u8: return packer<W, std::uint8_t>;
        case SampleType::i16: return packer<W, std::int16_t>;
        case SampleType::u16: return packer<W, std::uint16_t>;
        case SampleType::i32: return packer<W, std::int32_t>;
        case SampleType::u32: return packer<W, std::uint32_t>;
        case SampleType::i64: return packer<W, std::int64_t>;
        case SampleType::u64: return packer<W, std::uint64_t>;
        case SampleType::f32: return packer<W, float>;
        default: return packer<W, double>;
    }
}

template <int W>
static Unpacker<W> unpacker_for(SampleType t) {
    return component(t) == SampleType::f32 ? unpacker<W, float> : unpacker<W, double>;
}
