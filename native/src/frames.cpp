#include "headrace/frames.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <string>

#include "headrace/workspace.hpp"

namespace headrace {

namespace {

// Beyond this size fewer lanes are better than a workspace that the second-level cache does not hold.
constexpr std::int64_t workspace_limit = std::int64_t{1} << 19;

int lanes_for(std::int64_t points) {
    int lanes = 1;
    while (2 * lanes <= kernels().max_lanes && 2 * lanes * 16 * points <= workspace_limit) lanes *= 2;
    return lanes;
}

// The transform's rows, and frames of zeros for lanes that have none.
std::int64_t rows_doubles(std::int64_t points, std::int64_t nperseg) { return 2 * lanes_for(points) * points + (nperseg + 7) / 8 * 8; }

std::int64_t checked_points(std::int64_t points) {
    if (points < min_frame_points || points > max_frame_points || !std::has_single_bit(static_cast<std::uint64_t>(points)))
        throw std::invalid_argument("points is a power of two from " + std::to_string(min_frame_points) + " to " +
                                    std::to_string(max_frame_points) + ", not " + std::to_string(points));
    return points;
}

// The row in which the passes leave frequency k of n: digits to the base 4 in reverse order, the last digit of a leaf of eight as its
// even and odd frequencies.
std::int64_t place_of(std::int64_t k, std::int64_t n, std::int64_t leaf) {
    std::int64_t place = 0;
    for (; n > leaf; n /= 4, k /= 4) place += k % 4 * (n / 4);
    return place + (leaf == 4 ? k : k % 2 * 4 + k / 2);
}

}  // namespace

std::vector<std::int32_t> frequency_rows(const FirPlan& plan) {
    std::vector<std::int32_t> rows(static_cast<std::size_t>(plan.length));
    for (std::int64_t k = 0; k < plan.length; ++k)
        rows[static_cast<std::size_t>(k)] = static_cast<std::int32_t>(place_of(k, plan.length, plan.leaf));
    return rows;
}

FrameKernel::FrameKernel(std::span<const double> window, std::int64_t points, std::int64_t turn)
    : plan_(checked_points(points)), window_(window.begin(), window.end()), turn_(turn) {
    const auto count = static_cast<std::int64_t>(window.size());
    if (count < 1 || count > points)
        throw std::invalid_argument("window has " + std::to_string(count) + " values for " + std::to_string(points) + " points");
    if (turn < 0 || turn >= count) throw std::invalid_argument("turn is the number of a sample of a frame");
    for (double& w : window_) w *= 0.5;
    place_ = frequency_rows(plan_.view());
}

std::int64_t FrameKernel::workspace_bytes() const {
    return workspace_size(rows_doubles(points(), nperseg()) + frames_sums * points());
}

void FrameKernel::check(std::span<const double> line, std::int64_t hop, std::int64_t frames) const {
    constexpr std::int64_t limit = std::int64_t{1} << 31;
    if (hop < 1 || hop > limit || frames < 0 || frames > limit) throw std::invalid_argument("hop and frames lie between 1 and 2^31");
    if (frames && static_cast<std::int64_t>(line.size()) < (frames - 1) * hop + nperseg())
        throw std::invalid_argument("line has " + std::to_string(line.size()) + " samples, and " + std::to_string(frames) +
                                    " frames take " + std::to_string((frames - 1) * hop + nperseg()));
}

void FrameKernel::run(FramesJob& job) const {
    job.plan = &plan_.view();
    job.window = window_.data();
    job.nperseg = nperseg();
    job.turn = turn_;
    job.place = place_.data();
    const std::int64_t rows = rows_doubles(points(), nperseg()), sums = job.sums ? frames_sums * points() : 0;
    const Workspace workspace(rows + sums);
    job.zeros = workspace.data() + 2 * lanes_for(points()) * points();
    std::fill_n(const_cast<double*>(job.zeros), rows - 2 * lanes_for(points()) * points() + sums, 0.0);
    job.cells = workspace.data() + rows;
    kernels().frames(job, lanes_for(points()), workspace.data());
}

void FrameKernel::spectra(std::span<const double> line, std::int64_t hop, std::int64_t frames, void* out, SampleType type,
                          std::int64_t row) const {
    check(line, hop, frames);
    if (type < SampleType::f32) throw std::invalid_argument("out must be float32, float64, complex64 or complex128");
    if (row < freqs()) throw std::invalid_argument("rows of out hold fewer than " + std::to_string(freqs()) + " frequencies");
    if (!frames) return;
    FramesJob job;
    job.line = line.data();
    job.hop = hop;
    job.frames = frames;
    job.out = out;
    job.type = type;
    job.row = row;
    run(job);
}

void FrameKernel::power_sums(std::span<const double> line, std::int64_t hop, std::int64_t frames, std::span<double> out) const {
    check(line, hop, frames);
    if (static_cast<std::int64_t>(out.size()) != freqs())
        throw std::invalid_argument("out has " + std::to_string(out.size()) + " frequencies, expected " + std::to_string(freqs()));
    if (!frames) return;
    FramesJob job;
    job.line = line.data();
    job.hop = hop;
    job.frames = frames;
    job.sums = out.data();
    run(job);
}

}  // namespace headrace
