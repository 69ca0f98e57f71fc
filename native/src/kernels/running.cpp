// One copy of the kernels for statistics of windows. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "lanes.inl"
#include "vectors.inl"
#include "border.inl"
#include "rank_sort.inl"
#include "rank_window.inl"
#include "small_median.inl"
#include "running_kernel.inl"
#include "running_std.inl"

}  // namespace

void copy_running_median(const RunningJob& job) { running_median(job); }
void copy_running_mad(const RunningJob& job) { running_mad(job); }
void copy_running_std(const RunningJob& job) { running_std(job); }

}  // namespace headrace::HEADRACE_ISA_NS
