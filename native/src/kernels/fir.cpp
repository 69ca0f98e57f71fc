// One copy of the FIR kernel. The build compiles every file here once per ISA, with another HEADRACE_ISA_NS and HEADRACE_MAX_LANES;
// all of it has internal linkage but the functions at the end, so that the linker can never swap one copy's code for another's.
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
#include "lane_io.inl"
#include "fir_kernel.inl"

}  // namespace

FirShape copy_fir_shape(const FirPlan& plan, int lanes) { return fir_shape(plan, lanes); }
void copy_fir_run(const FirJob& job, int lanes, double* workspace) { fir_run(job, lanes, workspace); }
void copy_fir_forward(const FirPlan& plan, double* rows) { forward(plan, rows); }

}  // namespace headrace::HEADRACE_ISA_NS
