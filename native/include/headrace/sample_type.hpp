// The element types that cross the border, as one small enum: kernels dispatch on it, bindings translate dtypes to it.
// The functions are `static`, not `inline`: kernel copies for different ISAs include them (see kernels.hpp).
#pragma once
#include <cstddef>
#include <cstdint>

namespace headrace {

enum class SampleType : std::uint8_t { i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, c64, c128 };

[[maybe_unused]] static constexpr bool is_complex(SampleType t) { return t == SampleType::c64 || t == SampleType::c128; }

[[maybe_unused]] static constexpr std::size_t item_size(SampleType t) {
    constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 8, 16};
    return sizes[static_cast<int>(t)];
}

// The type of the real and of the imaginary part.
[[maybe_unused]] static constexpr SampleType component(SampleType t) {
    return t == SampleType::c64 ? SampleType::f32 : t == SampleType::c128 ? SampleType::f64 : t;
}

}  // namespace headrace
