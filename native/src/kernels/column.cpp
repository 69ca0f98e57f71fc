// One copy of the kernels on contiguous columns: selection, moments, comparison with thresholds. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#define HEADRACE_INLINE static inline __attribute__((always_inline))

#include "compress.inl"
#include "sift_kernel.inl"
#include "moment_kernel.inl"
#include "integer_limits.inl"
#include "beyond_kernel.inl"

}  // namespace

void copy_sift(SiftJob& job) { sift(job); }
double copy_moment(const MomentJob& job) { return moment(job); }
bool copy_beyond(const BeyondJob& job) { return beyond(job); }

}  // namespace headrace::HEADRACE_ISA_NS
