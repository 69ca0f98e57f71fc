// Statistics of the window around each sample, along time, each channel by itself.
//
// The window of sample t is [t - size / 2, t - size / 2 + size). Beyond the ends of the signal lie copies of its samples: reflect
// (d c b a | a b c d | d c b a), mirror (d c b | a b c d | c b a), nearest (a a a | a b c d | d d d), or one constant.
// A window that holds a NaN gives NaN. What is written depends on the samples of the window alone.
#pragma once
#include <cstdint>

#include "headrace/kernels.hpp"

namespace headrace {

struct RunningWindow {
    std::int64_t size = 1;
    std::int64_t n = 0;  // samples of the whole signal
    Border border = Border::reflect;
    double beyond = 0;  // for Border::constant; a value of the type of the samples
};

// `in` holds all samples in and beside the windows of `out` that exist, real. All throw std::invalid_argument and std::bad_alloc.

// The sample of rank size / 2 of each window. Any real type, out of the same.
void running_median(const RunningWindow& window, const ConstSamples& in, const Samples& out);

// The median of the distances from the median, as numpy.median gives both in float64, divided by `scale`. To f32 or f64; not of 64-bit
// integers.
void running_mad(const RunningWindow& window, const ConstSamples& in, const Samples& out, double scale);

// sqrt(mean((x - mean(x))^2)), from sums that carry the error of each addition. To f32 or f64; not of 64-bit integers.
void running_std(const RunningWindow& window, const ConstSamples& in, const Samples& out);

// Bytes that one call allocates at most: of the first two for samples of a type, and of running_std.
std::int64_t running_ranks_workspace(SampleType type, std::int64_t size, std::int64_t channels);
std::int64_t running_std_workspace(std::int64_t size);

}  // namespace headrace
