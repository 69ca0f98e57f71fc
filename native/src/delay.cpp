#include "headrace/delay.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "headrace/workspace.hpp"

namespace headrace {

namespace {

// Rows of eight float64: inputs of a block, its coefficients, its outputs.
std::int64_t scratch_doubles(std::int64_t taps) { return 8 * (2 * delay_block + 2 * taps); }

bool within(std::int64_t v) { return v > -position_limit && v < position_limit; }

// The tap that alone is 1 while all others are 0, or -1.
std::int64_t single_tap(const double* h, std::int64_t taps) {
    std::int64_t found = -1;
    for (std::int64_t k = 0; k < taps; ++k) {
        if (h[k] == 0) continue;
        if (found >= 0 || h[k] != 1) return -1;
        found = k;
    }
    return found;
}

}  // namespace

std::int64_t delay_workspace(std::int64_t channels, std::int64_t taps) { return workspace_size(scratch_doubles(taps)) + 8 * channels; }

void delay(const ConstSamples& in, const Samples& out, std::int64_t taps, std::span<const double> coefficients,
           std::span<const std::int64_t> lag) {
    if (is_complex(in.type)) throw std::invalid_argument("x must be real");
    if (out.type != SampleType::f32 && out.type != SampleType::f64) throw std::invalid_argument("out must be float32 or float64");
    if (in.channels != out.channels)
        throw std::invalid_argument("x has " + std::to_string(in.channels) + " channels and out has " + std::to_string(out.channels));
    if (taps < 1 || static_cast<std::int64_t>(lag.size()) != in.channels ||
        static_cast<std::int64_t>(coefficients.size()) != taps * in.channels)
        throw std::invalid_argument("there are " + std::to_string(coefficients.size()) + " coefficients and " + std::to_string(lag.size()) +
                                    " lags for " + std::to_string(in.channels) + " channels of " + std::to_string(taps) + " taps");
    if (!within(in.start) || !within(out.start)) throw std::invalid_argument("positions must be below 2^60");
    for (const std::int64_t value : lag)
        if (!within(value)) throw std::invalid_argument("a lag of " + std::to_string(value) + " is out of bounds");
    std::vector<std::int64_t> single(lag.size());
    for (std::size_t c = 0; c < lag.size(); ++c) single[c] = single_tap(coefficients.data() + static_cast<std::int64_t>(c) * taps, taps);
    const Workspace scratch(scratch_doubles(taps));
    DelayJob job;
    job.in = in;
    job.out = out;
    job.taps = taps;
    job.coefficients = coefficients.data();
    job.lag = lag.data();
    job.single = single.data();
    job.scratch = scratch.data();
    kernels().delay(job);
}

}  // namespace headrace
