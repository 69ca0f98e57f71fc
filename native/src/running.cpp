#include "headrace/running.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "headrace/workspace.hpp"

namespace headrace {

namespace {

constexpr std::int64_t vector = 8;  // keys, at most, in a vector of the widest copy

std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

// The parts of RankScratch (running_kernel.inl), in its order.
std::int64_t ranks_doubles(SampleType type, std::int64_t size, std::int64_t channels) {
    const bool wide = type == SampleType::i64 || type == SampleType::u64 || type == SampleType::f64;
    const std::int64_t item = wide ? 8 : 4, tile = running_tile(size);
    const std::int64_t keys = size + tile - 1 + vector, count = tile + vector, some = std::min(channels, running_channels);
    const std::int64_t bytes = rounded(some * keys * item) + rounded(some * count * item) + 2 * rounded(keys * 2 * item) + rounded(keys * item) +
                               rounded((keys + 2) * 8) + rounded(keys * 4) + rounded(rank_words(keys) * 8) + rounded(4 * rank_bins);
    return bytes / 8;
}

// Of each lane: samples of two windows, and four sums for each output of one.
std::int64_t std_doubles(std::int64_t size) { return 6 * size * running_lanes(size); }

void check_size(std::int64_t size) {
    if (size < 1 || size > running_limit)
        throw std::invalid_argument("size is a number from 1 to " + std::to_string(running_limit) + ", not " + std::to_string(size));
}

// The samples that the windows of `out` are made of must be there.
void check_window(const RunningWindow& window, const ConstSamples& in, const Samples& out) {
    check_size(window.size);
    if (is_complex(in.type)) throw std::invalid_argument("x must be real");
    if (in.channels != out.channels)
        throw std::invalid_argument("x has " + std::to_string(in.channels) + " channels and out has " + std::to_string(out.channels));
    const std::int64_t n = window.n;
    if (in.start < 0 || out.start < 0 || n > position_limit || in.start > n - in.count || out.start > n - out.count)
        throw std::invalid_argument("x and out must lie inside the signal, which has " + std::to_string(n) + " samples");
    if (out.count == 0) return;
    const std::int64_t first = out.start - window.size / 2, last = out.start + out.count - 2 - window.size / 2 + window.size;
    std::int64_t low = std::max<std::int64_t>(first, 0), high = std::min(last, n - 1);
    if (window.border == Border::reflect || window.border == Border::mirror) {
        const std::int64_t same = window.border == Border::reflect ? 1 : 0;
        if (first < 0) high = std::max(high, std::min(n - 1, -first - same));
        if (last >= n) low = std::min(low, std::max<std::int64_t>(0, 2 * (n - 1) - last + same));
    }
    if (in.start > low || in.start + in.count <= high)
        throw std::invalid_argument("x holds samples [" + std::to_string(in.start) + ", " + std::to_string(in.start + in.count) +
                                    "), but the windows need [" + std::to_string(low) + ", " + std::to_string(high + 1) + ")");
}

template <class T>
void put(double value, std::byte* target) {
    const T sample = static_cast<T>(value);
    std::memcpy(target, &sample, sizeof sample);
}

// As a sample of the type; integers that it cannot hold are refused.
void put_sample(double value, SampleType type, std::byte* target) {
    if (type == SampleType::f32) return put<float>(value, target);
    if (type == SampleType::f64) return put<double>(value, target);
    const bool is_signed = type == SampleType::i8 || type == SampleType::i16 || type == SampleType::i32 || type == SampleType::i64;
    const int bits = 8 * static_cast<int>(item_size(type)) - (is_signed ? 1 : 0);
    if (!(value >= (is_signed ? -std::ldexp(1.0, bits) : 0.0) && value < std::ldexp(1.0, bits) && value == std::trunc(value)))
        throw std::invalid_argument("beyond is no value of the dtype of x");
    switch (type) {
        case SampleType::i8: return put<std::int8_t>(value, target);
        case SampleType::u8: return put<std::uint8_t>(value, target);
        case SampleType::i16: return put<std::int16_t>(value, target);
        case SampleType::u16: return put<std::uint16_t>(value, target);
        case SampleType::i32: return put<std::int32_t>(value, target);
        case SampleType::u32: return put<std::uint32_t>(value, target);
        case SampleType::i64: return put<std::int64_t>(value, target);
        default: return put<std::uint64_t>(value, target);
    }
}

void check_float(const ConstSamples& in, const Samples& out) {
    if (in.type == SampleType::i64 || in.type == SampleType::u64) throw std::invalid_argument("x must not be of 64-bit integers");
    if (out.type != SampleType::f32 && out.type != SampleType::f64) throw std::invalid_argument("out must be float32 or float64");
}

void run(const RunningWindow& window, const ConstSamples& in, const Samples& out, double scale, std::int64_t doubles,
         void (*kernel)(const RunningJob&)) {
    if (out.count == 0 || out.channels == 0) return;
    std::byte beyond[8];
    RunningJob job;
    if (window.border == Border::constant) {
        put_sample(window.beyond, in.type, beyond);
        job.beyond = beyond;
    }
    const Workspace scratch(doubles);
    job.in = in;
    job.out = out;
    job.size = window.size;
    job.n = window.n;
    job.border = window.border;
    job.scale = scale;
    job.scratch = scratch.data();
    kernel(job);
}

}  // namespace

void running_median(const RunningWindow& window, const ConstSamples& in, const Samples& out) {
    check_window(window, in, out);
    if (out.type != in.type) throw std::invalid_argument("out must have the dtype of x");
    run(window, in, out, 1, ranks_doubles(in.type, window.size, in.channels), kernels().running_median);
}

void running_mad(const RunningWindow& window, const ConstSamples& in, const Samples& out, double scale) {
    check_window(window, in, out);
    check_float(in, out);
    if (!(scale > 0) || scale > std::numeric_limits<double>::max()) throw std::invalid_argument("scale must be positive and finite");
    run(window, in, out, scale, ranks_doubles(in.type, window.size, in.channels), kernels().running_mad);
}

void running_std(const RunningWindow& window, const ConstSamples& in, const Samples& out) {
    check_window(window, in, out);
    check_float(in, out);
    run(window, in, out, 1, std_doubles(window.size), kernels().running_std);
}

std::int64_t running_ranks_workspace(SampleType type, std::int64_t size, std::int64_t channels) {
    check_size(size);
    return workspace_size(ranks_doubles(type, size, channels));
}

std::int64_t running_std_workspace(std::int64_t size) {
    check_size(size);
    return workspace_size(std_doubles(size));
}

}  // namespace headrace
