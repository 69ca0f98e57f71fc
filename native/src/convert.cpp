#include "headrace/convert.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "headrace/kernels.hpp"

namespace headrace {

namespace {

// One period of the factors, long enough that the kernel's inner loop never notices how few channels there are.
constexpr std::int64_t shortest_period = 256;

std::vector<double> spread(std::span<const double> values, std::int64_t channels, int parts, std::int64_t period, bool real_part_only) {
    std::vector<double> out(static_cast<std::size_t>(period), 0.0);
    for (std::int64_t i = 0; i < period; ++i) {
        if (real_part_only && i % parts != 0) {
            out[i] = -0.0;  // x + (-0.0) is x for every x, the sign of a zero included
            continue;
        }
        out[i] = values[values.size() == 1 ? 0 : i / parts % channels];
    }
    return out;
}

}  // namespace

void affine(const void* src, SampleType src_type, void* dst, SampleType dst_type, std::int64_t count, std::int64_t channels,
            std::span<const double> scale, std::span<const double> offset) {
    const auto fits = [channels](std::span<const double> v) {
        return v.size() == 1 || static_cast<std::int64_t>(v.size()) == channels;
    };
    if (!fits(scale) || !fits(offset))
        throw std::invalid_argument("scale has " + std::to_string(scale.size()) + " values and offset " + std::to_string(offset.size()) +
                                    "; each must have 1 or " + std::to_string(channels) + ", the number of channels");
    if (is_complex(src_type) != is_complex(dst_type)) throw std::invalid_argument("src and out must both be real or both be complex");
    const int parts = is_complex(src_type) ? 2 : 1;
    const std::int64_t width = (scale.size() == 1 && offset.size() == 1 ? 1 : channels) * parts;
    const std::int64_t period = width == 1 ? 1 : (shortest_period + width - 1) / width * width;
    const std::vector<double> factors = spread(scale, channels, parts, period, false);
    const std::vector<double> offsets = spread(offset, channels, parts, period, parts == 2);
    AffineJob job{src, dst, src_type, dst_type, count * parts, factors.data(), offsets.data(), period};
    kernels().affine(job);
}

std::int64_t quantize(const void* src, SampleType src_type, void* dst, SampleType dst_type, std::int64_t count) {
    if (is_complex(src_type)) throw std::invalid_argument("src must be real");
    if (dst_type >= SampleType::f32) throw std::invalid_argument("out must be of an integer type");
    return kernels().quantize({src, dst, src_type, dst_type, count});
}

void unpack_int24(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian) {
    kernels().unpack_int24(src, dst, count, big_endian);
}

}  // namespace headrace
