// The border between the ISA-independent code and the copies of the kernels: plain structs and one table of functions per ISA.
// Kernel translation units include this header and <cstdint>-like C headers only. A template or an inline function of the standard
// library that both a copy built for AVX-512 and the portable copy instantiate would be merged by the linker, and the portable path
// could then execute AVX-512 instructions.
#pragma once
#include <cstdint>

#include "headrace/sample_type.hpp"

namespace headrace {

// What the taps alone decide. See fft_plan.hpp and fir.hpp, which own the memory that the pointers show.
struct FirPlan {
    std::int64_t taps = 0;
    std::int64_t length = 0;  // L, a power of two
    std::int64_t step = 0;    // L - taps + 1
    bool paired = false;      // two consecutive blocks of a real channel are the real and imaginary part of one transform
    int leaf = 4;             // L = leaf * 4^levels, leaf 4 or 8
    int levels = 0;
    const double* twiddles[16] = {};  // level i, transforms of n = L / 4^i: {w, w^2, w^3} (re, im) for w = exp(-2 pi i j / n), j < n/4
    const double* spectrum = nullptr; // of the taps, divided by L, in the order in which the forward passes leave it
};

// Samples [start, start + count) of every channel, C-contiguous (count, channels).
struct ConstSamples {
    const void* data = nullptr;
    SampleType type = SampleType::f32;
    std::int64_t start = 0;
    std::int64_t count = 0;
    std::int64_t channels = 1;
};

struct Samples {
    void* data = nullptr;
    SampleType type = SampleType::f32;
    std::int64_t start = 0;
    std::int64_t count = 0;
    std::int64_t channels = 1;
};

// A stream is one cell of one channel: number (cell - first_cell) * channels + channel.
struct FirJob {
    const FirPlan* plan = nullptr;
    ConstSamples in;
    Samples out;
    std::int64_t shift = 0;
    std::int64_t in_stop = 0;  // samples from here on count as zero, whatever `in` holds
    std::int64_t first_cell = 0;
    std::int64_t streams = 0;
    // Called after a stream's outputs are stored when its input holds a NaN or an infinity (taken as zero until then).
    void (*patch)(const FirJob&, std::int64_t stream) = nullptr;
};

// The workspace of the widest group: rows are L lanes of (re, im) plus padding against cache-set conflicts.
struct FirShape {
    int lanes = 1;
    std::int64_t workspace_doubles = 0;
};

struct AffineJob {
    const void* src = nullptr;
    void* dst = nullptr;
    SampleType src_type = SampleType::f32;
    SampleType dst_type = SampleType::f32;
    std::int64_t count = 0;   // elements; of complex arrays, components
    const double* scale = nullptr;   // `period` factors and offsets, repeated over the elements
    const double* offset = nullptr;
    std::int64_t period = 1;
};

struct QuantizeJob {
    const void* src = nullptr;
    void* dst = nullptr;
    SampleType src_type = SampleType::f32;
    SampleType dst_type = SampleType::i16;
    std::int64_t count = 0;
};

// See reference.hpp. The members of group g lie in slots [group_start[g], group_start[g + 1]) of the kernel's tile.
struct ReferenceJob {
    const void* src = nullptr;
    void* dst = nullptr;
    SampleType src_type = SampleType::f32;
    SampleType dst_type = SampleType::f32;
    std::int64_t rows = 0;
    std::int64_t channels = 0;
    std::int64_t groups = 0;
    const std::int64_t* group_start = nullptr;
    const std::int32_t* slot = nullptr;    // of each channel, all different
    const std::int32_t* target = nullptr;  // group whose reference a channel has subtracted, or -1
    bool median = true;
    void* scratch = nullptr;  // see scratch_bytes in reference.cpp; aligned to 64 bytes
};

// See delay.hpp.
constexpr std::int64_t delay_block = 128;  // outputs of a channel that are worked on together
struct DelayJob {
    ConstSamples in;
    Samples out;
    std::int64_t taps = 0;
    const double* coefficients = nullptr;
    const std::int64_t* lag = nullptr;
    const std::int64_t* single = nullptr;  // the tap that alone is 1 while all others of a channel are 0, or -1
    double* scratch = nullptr;             // see scratch_bytes in delay.cpp; aligned to 64 bytes
};

struct KernelTable {
    int max_lanes;
    FirShape (*fir_shape)(const FirPlan&, int lanes);
    void (*fir_run)(const FirJob&, int lanes, double* workspace);
    void (*fir_forward)(const FirPlan&, double* rows);  // one transform of length L, (re, im) pairs without padding, in place
    void (*affine)(const AffineJob&);
    std::int64_t (*quantize)(const QuantizeJob&);
    void (*unpack_int24)(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian);
    void (*reference)(const ReferenceJob&);
    void (*delay)(const DelayJob&);
};

namespace portable { extern const KernelTable table; }
namespace avx2 { extern const KernelTable table; }
namespace avx512 { extern const KernelTable table; }

const KernelTable& kernels();  // of current_isa()

}  // namespace headrace
