// Filters and signals that the SOS tests share.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "headrace/sos.hpp"

namespace sos_cases {

using namespace headrace;
using check::Buffer;

// Sections with poles at radii up to `radius`; all but the first are units (b0 = b2 = 1), every third is not.
inline std::vector<double> sections(std::int64_t count, double radius) {
    check::Random random(static_cast<std::uint64_t>(count));
    std::vector<double> sos;
    for (std::int64_t s = 0; s < count; ++s) {
        const double r = radius * (0.6 + 0.4 * std::abs(random.unit())), angle = 0.02 + 1.5 * std::abs(random.unit());
        const bool unit = s % 3 != 0;
        const double b0 = unit ? 1.0 : 0.1 + std::abs(random.unit()), b2 = unit ? 1.0 : random.unit();
        for (const double c : {b0, s % 2 ? -2.0 : random.unit(), b2, 1.0, -2 * r * std::cos(angle), r * r}) sos.push_back(c);
    }
    return sos;
}

template <class T>
Buffer<T> noise(std::int64_t count) {
    check::Random random(static_cast<std::uint64_t>(count));
    Buffer<T> x(count);
    for (std::int64_t i = 0; i < count; ++i) x[i] = random.value<T>();
    return x;
}

template <class T>
constexpr SampleType type_of() {
    if constexpr (std::is_same_v<T, float>) return SampleType::f32;
    if constexpr (std::is_same_v<T, double>) return SampleType::f64;
    if constexpr (std::is_same_v<T, std::int8_t>) return SampleType::i8;
    if constexpr (std::is_same_v<T, std::uint8_t>) return SampleType::u8;
    if constexpr (std::is_same_v<T, std::int16_t>) return SampleType::i16;
    if constexpr (std::is_same_v<T, std::uint16_t>) return SampleType::u16;
    if constexpr (std::is_same_v<T, std::int32_t>) return SampleType::i32;
    if constexpr (std::is_same_v<T, std::uint32_t>) return SampleType::u32;
    if constexpr (std::is_same_v<T, std::int64_t>) return SampleType::i64;
    return SampleType::u64;
}

// A call's arrays. `x` is copied, so that each call reads and writes memory that ends where it should.
template <class T, class Out>
struct Call {
    Call(const SosKernel& kernel, const Buffer<T>& x, std::int64_t from, std::int64_t to, std::int64_t channel_count)
        : channels(channel_count),
          count(to - from),
          cells((count + kernel.cell() - 1) / kernel.cell()),
          in(count * channels),
          out(count * channels),
          starts(cells * kernel.sections() * 2 * channels) {
        std::copy_n(x.data.get() + from * channels, in.size, in.data.get());
    }
    SosJob job(SosTask task, Buffer<double>& state) {
        SosJob made;
        made.task = task;
        made.in = {in.data.get(), type_of<T>(), 0, count, channels};
        if (task != SosTask::survey) made.out = {out.data.get(), type_of<Out>(), 0, count, channels};
        made.state = state.data.get();
        made.starts = starts.data.get();
        return made;
    }
    std::int64_t channels, count, cells;
    Buffer<T> in;
    Buffer<Out> out;
    Buffer<double> starts;
};

}  // namespace sos_cases
