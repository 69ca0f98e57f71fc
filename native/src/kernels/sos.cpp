// One copy of the SOS kernels. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "lanes.inl"
#include "vectors.inl"
#include "sos_sections.inl"
#include "sos_io.inl"
#include "sos_blocks.inl"
#include "sos_kernel.inl"

}  // namespace

std::int64_t copy_sos_workspace(const SosPlan& plan, std::int64_t channels, SosTask task) {
    return sos_workspace(plan, channels, task);
}
void copy_sos_run(const SosJob& job, double* workspace) { sos_run(job, workspace); }

}  // namespace headrace::HEADRACE_ISA_NS
