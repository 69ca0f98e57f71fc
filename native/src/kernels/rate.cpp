// One copy of the kernels that change the sampling rate. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "lanes.inl"
#include "resample_kernel.inl"

}  // namespace

void copy_resample(const ResampleJob& job) { resample(job); }

}  // namespace headrace::HEADRACE_ISA_NS
