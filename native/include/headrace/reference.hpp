// Common references: at each sample, the median or mean over groups of channels is subtracted.
#pragma once
#include <cstdint>
#include <span>

#include "headrace/sample_type.hpp"

namespace headrace {

// dst = round(double(src) - reference): one subtraction in float64, one rounding. `rows` samples of `channels` channels, real types to
// f32 or f64. Channel c counts in the reference of group members[c], and has that of group targets[c] subtracted; -1 is none. Groups are
// numbered from 0 and each has a member. The median of an even number is half the sum of the middle two. A NaN among a group's members
// makes its reference NaN. Throws std::invalid_argument, std::bad_alloc.
void subtract_reference(const void* src, SampleType src_type, void* dst, SampleType dst_type, std::int64_t rows, std::int64_t channels,
                        std::span<const std::int32_t> members, std::span<const std::int32_t> targets, bool median);

// Bytes that one call allocates at most.
std::int64_t reference_workspace(std::int64_t channels);

}  // namespace headrace
