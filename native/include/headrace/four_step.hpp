// What the passes of a transform longer than memory do to their rows and tiles, beside the short transforms.
#pragma once
#include <cstdint>

#include "headrace/roots.hpp"
#include "headrace/sample_type.hpp"

namespace headrace {

// out[k / side][i][k % side] = in[k][i] * w^(k * (column + i)), w = exp(-2 pi i / n), or its conjugate where `inverse`, for k < rows and
// i < columns; what of `out`, (ceil(rows / side), columns, side), belongs to no k is zero. Complex of one type. Products are made in float64
// and rounded once; roots from those of k * 16 b and k * r for column + i = 16 b + r, so that a value does not depend on where a block begins.
// Throws std::invalid_argument for other types, a column that is no multiple of 16, and exponents from n on.
struct Tiles {
    const void* in = nullptr;
    void* out = nullptr;
    SampleType type = SampleType::c64;
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t column = 0;
    std::int64_t side = 0;
};
void twiddle_tiles(const Tiles& tiles, const Roots& roots, bool inverse);

// out[r, k] of (rows, width) from tiles (ceil(kept / side), rows, side): for k < kept that of row r and place k. For k from kept to width - 1,
// where `mirror` tiles are given, the conjugate of place width - k in row rows - 1 - r of those. Elements of 4, 8 or 16 bytes; with `mirror`
// complex. Throws std::invalid_argument.
struct Rows {
    const void* tiles = nullptr;
    const void* mirror = nullptr;
    void* out = nullptr;
    SampleType type = SampleType::c64;
    std::int64_t rows = 0;
    std::int64_t width = 0;
    std::int64_t kept = 0;
    std::int64_t side = 0;
};
void rows_of_tiles(const Rows& rows);

// out[r, i] = in[r, i] * exp(-pi i j^2 / n) for j = start + r * apart + i, or by its conjugate where `inverse`; zero where |j| >= n. `roots` is
// of order 2 n. `in` may be null, for ones. In float64, rounded once to `out`: complex, or real, which takes the real part. Throws
// std::invalid_argument.
struct Chirp {
    const void* in = nullptr;
    SampleType in_type = SampleType::c128;
    void* out = nullptr;
    SampleType out_type = SampleType::c128;
    std::int64_t rows = 1;
    std::int64_t columns = 0;
    std::int64_t start = 0;
    std::int64_t apart = 0;
    double scale = 1;  // of every product
};
void chirp(const Chirp& job, const Roots& roots, bool inverse);

}  // namespace headrace
