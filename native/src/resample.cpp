#include "headrace/resample.hpp"

#include <stdexcept>
#include <string>

#include "headrace/workspace.hpp"

namespace headrace {

namespace {

// Rows of eight float64: the inputs of a tile, and its outputs.
std::int64_t scratch_doubles(std::int64_t taps, std::int64_t up, std::int64_t down) {
    const std::int64_t columns = polyphase_columns(taps, up), tile = resample_tile(columns, up, down);
    return 8 * (resample_rows(tile, columns, up, down) + tile);
}

void check_rate(std::int64_t taps, std::int64_t up, std::int64_t down) {
    if (taps < 1 || up < 1 || down < 1 || taps > resample_limit || up > resample_limit || down > resample_limit)
        throw std::invalid_argument("taps, up and down are numbers from 1 to " + std::to_string(resample_limit));
}

}  // namespace

std::int64_t polyphase_columns(std::int64_t taps, std::int64_t up) { return (taps + up - 1) / up; }

std::int64_t resample_workspace(std::int64_t taps, std::int64_t up, std::int64_t down) {
    check_rate(taps, up, down);
    return workspace_size(scratch_doubles(taps, up, down));
}

void resample(const ConstSamples& in, const Samples& out, std::int64_t taps, std::int64_t up, std::int64_t down, std::int64_t delay,
              std::span<const double> phases) {
    if (is_complex(in.type)) throw std::invalid_argument("x must be real");
    if (out.type != SampleType::f32 && out.type != SampleType::f64) throw std::invalid_argument("out must be float32 or float64");
    if (in.channels != out.channels)
        throw std::invalid_argument("x has " + std::to_string(in.channels) + " channels and out has " + std::to_string(out.channels));
    check_rate(taps, up, down);
    const std::int64_t columns = polyphase_columns(taps, up);
    if (static_cast<std::int64_t>(phases.size()) != up * columns)
        throw std::invalid_argument("there are " + std::to_string(phases.size()) + " taps in phases, expected " + std::to_string(up * columns));
    if (delay < 0 || delay >= taps) throw std::invalid_argument("delay is the number of a tap");
    // Below this no product of a position with `up` or `down` overflows.
    constexpr std::int64_t limit = (std::int64_t{1} << 62) / resample_limit;
    if (in.start < 0 || out.start < 0 || in.start > limit - in.count || out.start > limit - out.count)
        throw std::invalid_argument("positions lie between 0 and 2^38");
    const Workspace scratch(scratch_doubles(taps, up, down));
    ResampleJob job;
    job.in = in;
    job.out = out;
    job.taps = taps;
    job.columns = columns;
    job.up = up;
    job.down = down;
    job.delay = delay;
    job.phases = phases.data();
    job.scratch = scratch.data();
    kernels().resample(job);
}

}  // namespace headrace
