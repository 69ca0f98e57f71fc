// Packed 24-bit integers to int32: three bytes into the high end of a word, then an arithmetic shift that spreads the sign.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headrace runs on little-endian machines");

static inline std::int32_t int24(const std::uint8_t* p, int low, int high) {
    const std::uint32_t word = std::uint32_t(p[low]) << 8 | std::uint32_t(p[1]) << 16 | std::uint32_t(p[high]) << 24;
    return static_cast<std::int32_t>(word) >> 8;
}

static void unpack_int24(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian) {
    std::int64_t i = 0;
#ifdef __AVX2__
    // Four at a time: one byte shuffle. Sixteen bytes are read for every twelve used, so the last ones are left to the loop below.
    typedef std::uint8_t Bytes __attribute__((vector_size(16)));
    typedef std::int32_t Words __attribute__((vector_size(16)));
    for (; 3 * i + 16 <= 3 * count; i += 4) {
        Bytes b;
        __builtin_memcpy(&b, src + 3 * i, 16);
        const Bytes zero = {};
        b = big_endian ? __builtin_shufflevector(b, zero, 16, 2, 1, 0, 16, 5, 4, 3, 16, 8, 7, 6, 16, 11, 10, 9)
                       : __builtin_shufflevector(b, zero, 16, 0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11);
        const Words w = reinterpret_cast<Words>(b) >> 8;
        __builtin_memcpy(dst + i, &w, 16);
    }
#endif
    if (big_endian)
        for (; i < count; ++i) dst[i] = int24(src + 3 * i, 2, 0);
    else
        for (; i < count; ++i) dst[i] = int24(src + 3 * i, 0, 2);
}
