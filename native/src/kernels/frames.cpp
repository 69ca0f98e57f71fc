// One copy of the kernel of short-time spectra. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

constexpr int max_lanes = HEADRACE_MAX_LANES;

#include "lanes.inl"
#include "fft_passes.inl"
#include "frames_kernel.inl"

}  // namespace

void copy_frames(const FramesJob& job, int lanes, double* workspace) { frames_run(job, lanes, workspace); }

}  // namespace headrace::HEADRACE_ISA_NS
