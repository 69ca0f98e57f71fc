// Second-order sections (direct form II transposed, as scipy.signal.sosfilt), forwards, backwards and both at once, with state carried.
//
// exact:  SciPy's order of operations in float64, nothing fused: bit-equal to scipy.signal.sosfilt done in float64.
// lanes:  float64 arithmetic with fused multiply-adds on a grid of sos_cell samples that starts at the first sample of a call. The bytes
//         of an output depend on the cell's start state, its samples and whether the call has fewer than eight channels; not on the other
//         channels, the span of the call, threads or the ISA.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "headrace/kernels.hpp"

namespace headrace {

class SosKernel {
public:
    // `sos` holds rows b0, b1, b2, 1, a1, a2. Throws std::invalid_argument.
    SosKernel(std::span<const double> sos, bool exact);
    // The plan points into the vectors below, whose memory a move would keep and a copy would not.
    SosKernel(const SosKernel&) = delete;
    SosKernel& operator=(const SosKernel&) = delete;

    std::int64_t sections() const { return plan_.sections; }
    bool exact() const { return plan_.exact; }
    std::int64_t cell() const { return sos_cell; }
    const SosPlan& plan() const { return plan_; }
    std::int64_t memory() const { return plan_.memory; }

    // Samples in which calls may be cut without a change of bytes.
    std::int64_t grid(std::int64_t channels) const;

    // What one call allocates at most. Of this a thread keeps at most 1 MiB, for its next call, until it ends.
    std::int64_t workspace_bytes(std::int64_t channels, SosTask task) const;

    // `state` and the rows of `starts` are (sections, 2, channels). A call begins on the grid and ends there or with the signal; in a
    // backward call the short rest, which comes first, is still the end of the array. Thread-safe. Throws std::invalid_argument.
    void run(const SosJob& job) const;

private:
    void find_responses();

    SosPlan plan_;
    std::vector<double> coefficients_, response_, power_;
};

}  // namespace headrace
