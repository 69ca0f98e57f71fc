// One copy of the kernels of transforms longer than memory. See fir.cpp for the rule about linkage.
#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "twiddle_kernel.inl"

}  // namespace

void copy_twiddle(const TwiddleJob& job) { twiddle(job); }

}  // namespace headrace::HEADRACE_ISA_NS
