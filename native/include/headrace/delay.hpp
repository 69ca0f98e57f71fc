// A short filter of its own for each channel, by direct evaluation: fractional delays.
#pragma once
#include <cstdint>
#include <span>

#include "headrace/kernels.hpp"

namespace headrace {

// out[o, c] = sum over k of coefficients[c * taps + k] * in[o - lag[c] - k, c], summed in float64 from k = 0 on and rounded once; samples
// outside `in` are zero. A channel whose coefficients are zeros and a single 1 is copied, so that a NaN stays where it is. Real types to
// f32 or f64. Throws std::invalid_argument, std::bad_alloc.
void delay(const ConstSamples& in, const Samples& out, std::int64_t taps, std::span<const double> coefficients,
           std::span<const std::int64_t> lag);

// Bytes that one call allocates at most.
std::int64_t delay_workspace(std::int64_t channels, std::int64_t taps);

}  // namespace headrace
