// Another sampling rate, by a rational factor: zeros between the samples, a filter, and of its output every so-manyth, by direct
// evaluation of what is kept.
#pragma once
#include <cstdint>
#include <span>

#include "headrace/kernels.hpp"

namespace headrace {

// out[o, c] = sum over k of taps[o * down + delay - k * up] * in[k, c], summed in float64 from the largest k down and rounded once; samples
// outside `in`, and taps that do not exist, are left out. `phases` are the taps as polyphase() lays them out. Real types to f32 or f64.
// Throws std::invalid_argument, std::bad_alloc.
void resample(const ConstSamples& in, const Samples& out, std::int64_t taps, std::int64_t up, std::int64_t down, std::int64_t delay,
              std::span<const double> phases);

// Row p holds taps[p], taps[p + up], ..., of the same length for all p < up: (taps + up - 1) / up, the last perhaps zero.
std::int64_t polyphase_columns(std::int64_t taps, std::int64_t up);

// Bytes that one call allocates at most.
std::int64_t resample_workspace(std::int64_t taps, std::int64_t up, std::int64_t down);

}  // namespace headrace
