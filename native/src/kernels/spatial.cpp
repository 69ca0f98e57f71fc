// One copy of the kernels that work across channels. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "lanes.inl"
#include "row_tile.inl"
#include "row_median.inl"
#include "reference_kernel.inl"
#include "delay_kernel.inl"

}  // namespace

void copy_reference(const ReferenceJob& job) { reference(job); }
void copy_delay(const DelayJob& job) { delay(job); }

}  // namespace headrace::HEADRACE_ISA_NS
