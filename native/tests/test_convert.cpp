// affine, quantize and unpack_int24 on every copy, every pair of types and sizes around the vector widths.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "headrace/convert.hpp"
#include "headrace/isa.hpp"
#include "headrace/kernels.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

constexpr std::int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 31, 64, 65, 257, 1000};

template <class S, class D>
void affine_case(SampleType s, SampleType d, std::int64_t count, std::int64_t channels) {
    check::Random random(9);
    Buffer<S> src(count * channels);
    Buffer<D> dst(count * channels);
    for (std::int64_t i = 0; i < src.size; ++i) src[i] = random.value<S>();
    std::vector<double> scale(static_cast<std::size_t>(channels)), offset(static_cast<std::size_t>(channels));
    for (std::int64_t c = 0; c < channels; ++c) {
        scale[static_cast<std::size_t>(c)] = random.unit();
        offset[static_cast<std::size_t>(c)] = random.unit();
    }
    affine(src.data.get(), s, dst.data.get(), d, src.size, channels, scale, offset);
    for (std::int64_t i = 0; i < src.size; ++i) {
        const auto c = static_cast<std::size_t>(i % channels);
        volatile const double product = static_cast<double>(src[i]) * scale[c];  // volatile: no fused multiply-add here either
        const double want = product + offset[c];
        if (dst[i] != static_cast<D>(want)) return CHECK(false, "affine element " + std::to_string(i));
    }
}

template <class S>
void affine_all(SampleType s) {
    for (const std::int64_t n : sizes)
        for (const std::int64_t channels : {1, 2, 5, 300}) {
            if (n * channels > 20000) continue;
            affine_case<S, float>(s, SampleType::f32, n, channels);
            affine_case<S, double>(s, SampleType::f64, n, channels);
        }
}

template <class D>
void quantize_case(SampleType d) {
    constexpr double lo = static_cast<double>(std::numeric_limits<D>::min()), hi = static_cast<double>(std::numeric_limits<D>::max());
    for (const std::int64_t n : sizes) {
        check::Random random(static_cast<std::uint64_t>(n) + 1);
        Buffer<double> src(n);
        Buffer<D> dst(n);
        for (std::int64_t i = 0; i < n; ++i) src[i] = i % 11 == 3 ? std::nan("") : std::trunc(random.unit() * 4000) / 2;
        std::int64_t want_clipped = 0;
        const std::int64_t clipped = quantize(src.data.get(), SampleType::f64, dst.data.get(), d, n);
        for (std::int64_t i = 0; i < n; ++i) {
            const double rounded = std::nearbyint(src[i]);
            const bool fits = rounded >= lo && rounded <= hi;
            const D want = fits ? static_cast<D>(rounded)
                                : std::isnan(rounded) ? D(0) : rounded < lo ? std::numeric_limits<D>::min() : std::numeric_limits<D>::max();
            want_clipped += !fits;
            if (dst[i] != want) return CHECK(false, "quantize " + std::to_string(src[i]));
        }
        CHECK(clipped == want_clipped, "quantize count");
    }
}

void int24_case(const KernelTable& table) {
    for (const std::int64_t n : sizes)
        for (const bool big : {false, true}) {
            check::Random random(4);
            Buffer<std::uint8_t> src(3 * n);
            Buffer<std::int32_t> dst(n);
            for (std::int64_t i = 0; i < src.size; ++i) src[i] = random.value<std::uint8_t>();
            table.unpack_int24(src.data.get(), dst.data.get(), n, big);
            for (std::int64_t i = 0; i < n; ++i) {
                const int low = src[3 * i + (big ? 2 : 0)], middle = src[3 * i + 1], high = src[3 * i + (big ? 0 : 2)];
                const int want = low + 256 * middle + 65536 * (high < 128 ? high : high - 256);
                if (dst[i] != want) return CHECK(false, "int24 element " + std::to_string(i));
            }
        }
}

}  // namespace

int main() {
    int24_case(wide::table);
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        affine_all<std::int8_t>(SampleType::i8);
        affine_all<std::uint8_t>(SampleType::u8);
        affine_all<std::int16_t>(SampleType::i16);
        affine_all<std::uint16_t>(SampleType::u16);
        affine_all<std::int32_t>(SampleType::i32);
        affine_all<std::uint32_t>(SampleType::u32);
        affine_all<std::int64_t>(SampleType::i64);
        affine_all<std::uint64_t>(SampleType::u64);
        affine_all<float>(SampleType::f32);
        affine_all<double>(SampleType::f64);
        quantize_case<std::int8_t>(SampleType::i8);
        quantize_case<std::uint8_t>(SampleType::u8);
        quantize_case<std::int16_t>(SampleType::i16);
        quantize_case<std::uint16_t>(SampleType::u16);
        quantize_case<std::int32_t>(SampleType::i32);
        quantize_case<std::uint32_t>(SampleType::u32);
        quantize_case<std::int64_t>(SampleType::i64);
        quantize_case<std::uint64_t>(SampleType::u64);
        int24_case(kernels());
    }
    const std::vector<double> two(2, 1.0), one(1, 1.0);
    float x[3] = {}, y[3] = {};
    CHECK(check::throws<std::invalid_argument>([&] { affine(x, SampleType::f32, y, SampleType::f32, 3, 1, two, one); }), "scale");
    CHECK(check::throws<std::invalid_argument>([&] { quantize(x, SampleType::f32, y, SampleType::f32, 3); }), "out type");
    return check::report();
}
