// A FIR filter by overlap-save in float64: the float64 whole-array convolution, rounded once to the output.
//
// The signal axis is cut into a fixed grid of cells that starts at output 0. The bytes of an output depend on the taps, the number of
// its cell and the samples that the cell's outputs need; not on the other channels, the span of the call, threads or the ISA.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "headrace/fft_plan.hpp"
#include "headrace/kernels.hpp"

namespace headrace {

class FirKernel {
public:
    // `taps` holds (re, im) pairs if `complex_taps`. Throws std::invalid_argument.
    FirKernel(std::span<const double> taps, bool complex_taps, bool complex_input);

    std::int64_t taps_count() const { return plan_.view().taps; }
    std::int64_t fft_length() const { return plan_.view().length; }
    std::int64_t step() const { return plan_.view().step; }
    std::int64_t cell() const { return plan_.view().paired ? 2 * step() : step(); }
    bool complex_input() const { return complex_input_; }
    bool complex_output() const { return !plan_.view().paired; }

    // Streams (a cell of a channel) that the ISA in use computes side by side. Speed alone: no byte depends on it.
    int lanes() const;

    // What one call of apply() allocates at most. Of this a thread keeps at most 1 MiB, for its next call, until it ends.
    std::int64_t workspace_bytes(std::int64_t channels) const;

    // out[o] = sum_k taps[k] * in[o + shift - k], samples outside `in` being zero. out.start is a multiple of cell().
    // Samples that are not finite reach exactly the outputs whose window holds them. Thread-safe. Throws std::invalid_argument.
    void apply(const ConstSamples& in, std::int64_t shift, const Samples& out) const;

private:
    int lanes_for(std::int64_t streams) const;
    void check(const ConstSamples& in, std::int64_t shift, const Samples& out) const;

    bool complex_input_;
    std::vector<double> taps_;  // (re, im) pairs
    FftPlan plan_;
};

// Gives the outputs of one stream whose window holds a NaN or an infinity the values of direct evaluation.
// Part of apply(); `taps` holds (re, im) pairs. Affected outputs of complex streams are NaN + NaN i.
inline constexpr std::int64_t patch_run_bytes = 24;  // it allocates one run for every change among the samples of a cell
void patch_nonfinite(const FirJob& job, std::span<const double> taps, std::int64_t stream);

}  // namespace headrace
