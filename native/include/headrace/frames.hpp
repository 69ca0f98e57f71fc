// Spectra of overlapping frames of real samples, in float64: two frames share a complex transform, and lanes are pairs of frames.
//
// The bytes of a frame's spectrum depend on the window and on the two frames of its pair, (0, 1), (2, 3), ... of a call; not on how many
// there are, or the ISA.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "headrace/fft_plan.hpp"
#include "headrace/kernels.hpp"

namespace headrace {

inline constexpr std::int64_t min_frame_points = 16, max_frame_points = 16384;

// The row in which the passes of a plan leave each frequency.
std::vector<std::int32_t> frequency_rows(const FirPlan& plan);

class FrameKernel {
public:
    // Frames of window.size() samples are multiplied with `window` and filled up with zeros to `points`, a power of two from
    // min_frame_points to max_frame_points. Phases count from sample `turn` of a frame. Throws std::invalid_argument.
    FrameKernel(std::span<const double> window, std::int64_t points, std::int64_t turn);

    std::int64_t points() const { return plan_.view().length; }
    std::int64_t nperseg() const { return static_cast<std::int64_t>(window_.size()); }
    std::int64_t freqs() const { return points() / 2 + 1; }

    // What one call allocates at most.
    std::int64_t workspace_bytes() const;

    // Frame i, of line[i * hop, i * hop + nperseg): its spectrum (complex types) or the power of it (real types) at out[i * row + k] for
    // k < freqs. A frame with a NaN or an infinity gives NaN, and its pair's other frame does not. `out` has room for (frames - 1) * row +
    // freqs. Thread-safe. Throws std::invalid_argument, std::bad_alloc.
    void spectra(std::span<const double> line, std::int64_t hop, std::int64_t frames, void* out, SampleType type, std::int64_t row) const;

    // Adds the sum over frames of their power to out[k], in an order that depends on `frames` alone.
    void power_sums(std::span<const double> line, std::int64_t hop, std::int64_t frames, std::span<double> out) const;

private:
    void check(std::span<const double> line, std::int64_t hop, std::int64_t frames) const;
    void run(FramesJob& job) const;

    FftPlan plan_;
    std::vector<double> window_;  // half of it: what is left of the frames of a pair are sums of two
    std::vector<std::int32_t> place_;
    std::int64_t turn_;
};

}  // namespace headrace
