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

// Positions lie closer to zero than this, so that no sum of some of them overflows.
constexpr std::int64_t position_limit = std::int64_t{1} << 60;

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

// What the sections alone decide. See sos.hpp, which owns the memory that the pointers show.
struct SosPlan {
    std::int64_t sections = 0;
    const double* coefficients = nullptr;  // b0, b1, b2, a1, a2 of each section
    std::int64_t padded = 0;               // 2 * sections, rounded up to a multiple of 8
    std::int64_t memory = 0;               // samples of a block that still show in the state at its end, at most sos_block
    const double* response = nullptr;      // (memory, padded): the state k + 1 samples after an impulse, from k = memory - 1 down to 0
    const double* power = nullptr;         // (2 * sections, padded): the state after sos_block samples of silence, by unit start state
    bool exact = false;                    // SciPy's order of operations, nothing fused
};

// The grid: a cell is eight blocks. Few channels: the blocks are the lanes. Many: channels are, and states are flushed after each block.
static constexpr std::int64_t sos_lanes = 8;
static constexpr std::int64_t sos_block = 256;
static constexpr std::int64_t sos_cell = sos_lanes * sos_block;
// Groups of eight channels whose forward output waits for the backward pass at one time.
static constexpr std::int64_t sos_groups_at_once = 4;

enum class SosTask : std::uint8_t {
    forward,   // state: before the first sample, then after the last
    backward,  // from the last sample to the first; state: before the last sample, then after the first
    survey,    // forward without output; `starts` receives the state at the start of each cell
    both,      // forward from each cell's start state in `starts`, and its result backward from `state` on
};

struct SosJob {
    const SosPlan* plan = nullptr;
    SosTask task = SosTask::forward;
    ConstSamples in;
    Samples out;               // `data` may be null in forward and backward
    double* state = nullptr;   // (sections, 2, channels)
    double* starts = nullptr;  // (cells, sections, 2, channels)
    std::int64_t row = 0;      // elements from one sample of `in` and `out` to the next; 0: `channels`. Others only for eight and more of them
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
    void* scratch = nullptr;  // see scratch_doubles in reference.cpp; aligned to 64 bytes
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
    double* scratch = nullptr;             // see scratch_doubles in delay.cpp; aligned to 64 bytes
};

// See resample.hpp. A tile is as many outputs of each lane as are worked on together, from `resample_rows` input samples.
static constexpr std::int64_t resample_limit = std::int64_t{1} << 24;  // of taps, up and down
[[maybe_unused]] static constexpr std::int64_t resample_tile(std::int64_t columns, std::int64_t up, std::int64_t down) {
    const std::int64_t fitting = (1024 - columns) * up / down;  // inputs that stay in the nearest cache
    return fitting < 16 ? 16 : fitting > 256 ? 256 : fitting;
}
[[maybe_unused]] static constexpr std::int64_t resample_rows(std::int64_t tile, std::int64_t columns, std::int64_t up, std::int64_t down) {
    return (tile - 1) * down / up + 1 + columns;
}
struct ResampleJob {
    ConstSamples in;
    Samples out;
    std::int64_t taps = 0;
    std::int64_t columns = 0;  // of `phases`
    std::int64_t up = 1;
    std::int64_t down = 1;
    std::int64_t delay = 0;
    const double* phases = nullptr;  // (up, columns)
    double* scratch = nullptr;       // see scratch_doubles in resample.cpp; aligned to 64 bytes
};

// See roots.hpp, which owns the tables: entries (re, im).
struct RootTables {
    std::int64_t order = 1;
    int shift = 0;
    const double* high = nullptr;
    const double* low = nullptr;
};

// See four_step.hpp.
static constexpr std::int64_t twiddle_run = 16;  // columns whose roots share one of two factors
struct TwiddleJob {
    const void* in = nullptr;
    void* out = nullptr;
    bool wide = false;  // complex128, else complex64
    bool inverse = false;
    std::int64_t rows = 0;
    std::int64_t columns = 0;
    std::int64_t column = 0;  // a multiple of twiddle_run
    std::int64_t side = 0;
    RootTables roots;
};

// See running.hpp.
enum class Border : std::uint8_t { reflect, mirror, nearest, constant };
static constexpr std::int64_t running_limit = std::int64_t{1} << 30;  // samples in a window
// Windows of one channel that are worked on together: many for each sample that they share with their neighbours, in memory of no more
// than some windows.
[[maybe_unused]] static constexpr std::int64_t running_tile(std::int64_t size) {
    return size < 96 ? 1024 - size : size < 256 ? 2048 - size : size <= 8192 ? 7 * size : size <= 65536 ? 3 * size : size;
}
static constexpr std::int64_t running_channels = 8;  // copied out of their rows together
// Places for ranks: a bit each, and words on either side.
[[maybe_unused]] static constexpr std::int64_t rank_words(std::int64_t count) { return count / 64 + 5; }
static constexpr std::int64_t rank_bins = 6 * 2048;  // counts of digits
// running_std: stretches of one channel side by side only while they stay in a core's own cache.
[[maybe_unused]] static constexpr std::int64_t running_lanes(std::int64_t size) { return size <= 16384 ? 8 : 1; }
struct RunningJob {
    ConstSamples in;
    Samples out;
    std::int64_t size = 1;
    std::int64_t n = 0;  // samples of the whole signal
    Border border = Border::reflect;
    const void* beyond = nullptr;  // what lies outside, a sample of `in.type`, for Border::constant
    double scale = 1;              // by which distances are divided
    void* scratch = nullptr;       // see running.cpp; aligned to 64 bytes
};

// One pass of a selection over a contiguous column: values in [hole_lo, hole_hi] are counted, of the others those in [lo, hi] are
// counted and copied to `kept` in their order, the first `capacity` of them; `kept` has room for 16 more. Values are taken as float32
// where that holds every value of the type (float, integers up to 16 bits), else as float64; so is what is kept.
struct SiftJob {
    const void* src = nullptr;
    SampleType type = SampleType::f32;
    std::int64_t count = 0;
    double hole_lo = 0, hole_hi = 0;
    double lo = 0, hi = 0;
    void* kept = nullptr;
    std::int64_t capacity = 0;
    std::int64_t inner = 0, within = 0, missing = 0;  // results: in the hole, beside it in [lo, hi], NaN
};

// Sum of (x - center), or of its square, over a contiguous column: in float64, in an order that depends on `count` alone.
struct MomentJob {
    const void* src = nullptr;
    SampleType type = SampleType::f32;
    std::int64_t count = 0;
    double center = 0;
    bool squared = false;
};

// Bit i % 64 of words[i / 64] says whether x[i] > above or x[i] < below. Neither bound is NaN; for integers above >= the smallest and
// below <= the largest value of the type.
struct BeyondJob {
    const void* src = nullptr;
    SampleType type = SampleType::f32;
    std::int64_t count = 0;
    double above = 0, below = 0;
    std::uint64_t* words = nullptr;
};

// See frames.hpp. Of pairs of frames; `sums` or `out`.
static constexpr std::int64_t frames_sums = 8;  // cells that powers of pairs are added up in
struct FramesJob {
    const FirPlan* plan = nullptr;
    const double* line = nullptr;
    std::int64_t hop = 1;
    std::int64_t frames = 0;
    const double* window = nullptr;  // halved
    std::int64_t nperseg = 0;
    std::int64_t turn = 0;
    const std::int32_t* place = nullptr;  // the row in which frequency k is left
    const double* zeros = nullptr;        // a frame
    void* out = nullptr;                  // frame i at element i * row
    SampleType type = SampleType::c64;    // spectra, or as real numbers power
    std::int64_t row = 0;
    double* sums = nullptr;
    double* cells = nullptr;  // (length, frames_sums), zeros
};

struct KernelTable {
    int max_lanes;
    FirShape (*fir_shape)(const FirPlan&, int lanes);
    void (*fir_run)(const FirJob&, int lanes, double* workspace);
    void (*fir_forward)(const FirPlan&, double* rows);  // one transform of length L, (re, im) pairs without padding, in place
    void (*affine)(const AffineJob&);
    std::int64_t (*quantize)(const QuantizeJob&);
    void (*unpack_int24)(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian);
    std::int64_t (*sos_workspace)(const SosPlan&, std::int64_t channels, SosTask);  // doubles, aligned to 64 bytes
    void (*sos_run)(const SosJob&, double* workspace);
    void (*reference)(const ReferenceJob&);
    void (*delay)(const DelayJob&);
    void (*resample)(const ResampleJob&);
    void (*twiddle)(const TwiddleJob&);
    void (*running_median)(const RunningJob&);
    void (*running_mad)(const RunningJob&);
    void (*running_std)(const RunningJob&);
    void (*frames)(const FramesJob&, int lanes, double* workspace);  // aligned to 64 bytes
    void (*sift)(SiftJob&);
    double (*moment)(const MomentJob&);
    bool (*beyond)(const BeyondJob&);  // whether any bit is set
};

namespace portable { extern const KernelTable table; }
namespace avx2 { extern const KernelTable table; }
namespace avx512 { extern const KernelTable table; }

const KernelTable& kernels();  // of current_isa()

}  // namespace headrace
