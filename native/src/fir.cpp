#include "headrace/fir.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "headrace/workspace.hpp"

namespace headrace {

namespace {

// Groups of streams share a workspace; beyond this size fewer lanes are better than a workspace that no cache holds.
constexpr std::int64_t workspace_limit = std::int64_t{8} << 20;

std::vector<double> as_pairs(std::span<const double> taps, bool complex_taps) {
    if (complex_taps) return {taps.begin(), taps.end()};
    std::vector<double> pairs(2 * taps.size(), 0.0);
    for (std::size_t i = 0; i < taps.size(); ++i) pairs[2 * i] = taps[i];
    return pairs;
}

// The job as the patch sees it: the kernel copies know only the FirJob at its head.
struct PatchedJob : FirJob {
    std::span<const double> taps;
};

}  // namespace

FirKernel::FirKernel(std::span<const double> taps, bool complex_taps, bool complex_input)
    : complex_input_(complex_input),
      taps_(as_pairs(taps, complex_taps)),
      plan_(taps_, !complex_taps && !complex_input) {}

int FirKernel::lanes_for(std::int64_t streams) const {
    const KernelTable& table = kernels();
    int lanes = 1;
    while (2 * lanes <= table.max_lanes && lanes < streams &&
           table.fir_shape(plan_.view(), 2 * lanes).workspace_doubles * 8 <= workspace_limit)
        lanes *= 2;
    return lanes;
}

int FirKernel::lanes() const { return lanes_for(position_limit); }

std::int64_t FirKernel::workspace_bytes(std::int64_t channels) const {
    static_cast<void>(channels);  // the number of streams of a call has no bound, so every lane may be in use
    // What patch_nonfinite() holds at worst: sign counts, and a run for every sample that a cell needs.
    const std::int64_t patch = 8 * (taps_count() + 1) + patch_run_bytes * (cell() + taps_count());
    return workspace_size(kernels().fir_shape(plan_.view(), lanes()).workspace_doubles) + patch;
}

void FirKernel::check(const ConstSamples& in, std::int64_t shift, const Samples& out) const {
    const auto bounded = [](std::int64_t v) { return v > -position_limit && v < position_limit; };
    if (!bounded(in.start) || !bounded(out.start) || !bounded(shift) || in.count < 0 || out.count < 0)
        throw std::invalid_argument("x_start, out_start and shift must lie within +-2^60");
    if (in.channels != out.channels)
        throw std::invalid_argument("x has " + std::to_string(in.channels) + " channels but out has " + std::to_string(out.channels));
    if (out.start % cell() != 0)
        throw std::invalid_argument("out_start is " + std::to_string(out.start) + ", which is not a multiple of the cell, " +
                                    std::to_string(cell()) + " outputs");
    if (is_complex(in.type) != complex_input_)
        throw std::invalid_argument(complex_input_ ? "x must be complex: the kernel was made with complex_input=True"
                                                   : "x must be real: the kernel was made with complex_input=False");
    if (is_complex(out.type) != complex_output())
        throw std::invalid_argument(complex_output() ? "out must be complex, as the taps or the input are"
                                                     : "out must be real, as the taps and the input are");
}

void FirKernel::apply(const ConstSamples& in, std::int64_t shift, const Samples& out) const {
    check(in, shift, out);
    const std::int64_t cells = (out.count + cell() - 1) / cell();
    PatchedJob job;
    job.plan = &plan_.view();
    job.in = in;
    job.out = out;
    job.shift = shift;
    job.in_stop = out.start + out.count + shift;
    job.first_cell = out.start / cell();
    job.streams = cells * out.channels;
    if (job.streams == 0) return;
    job.taps = taps_;
    job.patch = [](const FirJob& j, std::int64_t stream) {
        const auto& patched = static_cast<const PatchedJob&>(j);
        patch_nonfinite(j, patched.taps, stream);
    };
    const int lanes = lanes_for(job.streams);
    const KernelTable& table = kernels();
    const Workspace workspace(table.fir_shape(plan_.view(), lanes).workspace_doubles);
    table.fir_run(job, lanes, workspace.data());
}

}  // namespace headrace
