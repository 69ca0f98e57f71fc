// Elementwise conversions: affine (physical units), quantize (back to integers), packed 24-bit integers.
#pragma once
#include <cstdint>
#include <span>

#include "headrace/sample_type.hpp"

namespace headrace {

// dst = round(double(src) * scale + offset), multiply then add in float64. `count` elements in rows of `channels`; scale and offset have
// one value or one per channel. Complex: real factors, offsets on the real part. Throws std::invalid_argument.
void affine(const void* src, SampleType src_type, void* dst, SampleType dst_type, std::int64_t count, std::int64_t channels,
            std::span<const double> scale, std::span<const double> offset);

// Rounds half to even and saturates to an integer type; NaN becomes 0. Returns how many elements were saturated or NaN.
std::int64_t quantize(const void* src, SampleType src_type, void* dst, SampleType dst_type, std::int64_t count);

// 3 * count bytes to `count` integers.
void unpack_int24(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian);

}  // namespace headrace
