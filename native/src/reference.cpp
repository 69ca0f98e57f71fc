#include "headrace/reference.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "headrace/kernels.hpp"
#include "headrace/workspace.hpp"

namespace headrace {

namespace {

constexpr std::int64_t vector = 8;  // doubles in one of the widest copy

std::int64_t scratch_doubles(std::int64_t channels) {
    // A vector for each channel; float64 references of up to 32 rows for each group (and one of zeros), and a seed; a row of float64.
    return vector * channels + 32 * (channels + 1) + channels + channels + 3 * vector;
}

// Groups as they lie in the kernel's tile: the members of group g are in slots [start[g], start[g + 1]), in the order of their channels,
// and channels that count nowhere come last.
struct Slots {
    std::vector<std::int32_t> of_channel;
    std::vector<std::int64_t> start;
};

Slots arrange(std::span<const std::int32_t> members, std::span<const std::int32_t> targets) {
    const auto channels = static_cast<std::int64_t>(members.size());
    std::int64_t groups = 0;
    for (const auto given : {members, targets})
        for (const std::int32_t g : given) {
            if (g < -1 || g >= channels)
                throw std::invalid_argument("a channel is in group " + std::to_string(g) + "; " + std::to_string(channels) +
                                            " channels have groups from 0, or -1 for none");
            if (g >= groups) groups = g + 1;
        }
    std::vector<std::int64_t> start(static_cast<std::size_t>(groups + 2), 0);
    for (const std::int32_t g : members) ++start[static_cast<std::size_t>(g < 0 ? groups : g) + 1];
    for (std::int64_t g = 0; g < groups; ++g)
        if (start[static_cast<std::size_t>(g) + 1] == 0)
            throw std::invalid_argument("group " + std::to_string(g) + " has no channel to take its reference from");
    for (std::int64_t g = 0; g <= groups; ++g) start[static_cast<std::size_t>(g) + 1] += start[static_cast<std::size_t>(g)];
    std::vector<std::int32_t> of_channel(members.size());
    std::vector<std::int64_t> next = start;
    for (std::int64_t c = 0; c < channels; ++c) {
        const std::int32_t g = members[static_cast<std::size_t>(c)];
        of_channel[static_cast<std::size_t>(c)] = static_cast<std::int32_t>(next[static_cast<std::size_t>(g < 0 ? groups : g)]++);
    }
    start.pop_back();
    return {of_channel, start};
}

}  // namespace

std::int64_t reference_workspace(std::int64_t channels) {
    return workspace_size(scratch_doubles(channels)) + 24 * (channels + 2);
}

void subtract_reference(const void* src, SampleType src_type, void* dst, SampleType dst_type, std::int64_t rows, std::int64_t channels,
                        std::span<const std::int32_t> members, std::span<const std::int32_t> targets, bool median) {
    if (is_complex(src_type)) throw std::invalid_argument("src must be real");
    if (dst_type != SampleType::f32 && dst_type != SampleType::f64) throw std::invalid_argument("out must be float32 or float64");
    for (const auto given : {members, targets})
        if (static_cast<std::int64_t>(given.size()) != channels)
            throw std::invalid_argument("members and targets have " + std::to_string(members.size()) + " and " +
                                        std::to_string(targets.size()) + " values; each must have " + std::to_string(channels) +
                                        ", the number of channels");
    const Slots slots = arrange(members, targets);
    if (rows == 0 || channels == 0) return;
    const Workspace scratch(scratch_doubles(channels));
    ReferenceJob job;
    job.src = src;
    job.dst = dst;
    job.src_type = src_type;
    job.dst_type = dst_type;
    job.rows = rows;
    job.channels = channels;
    job.groups = static_cast<std::int64_t>(slots.start.size()) - 1;
    job.group_start = slots.start.data();
    job.slot = slots.of_channel.data();
    job.target = targets.data();
    job.median = median;
    job.scratch = scratch.data();
    kernels().reference(job);
}

}  // namespace headrace
