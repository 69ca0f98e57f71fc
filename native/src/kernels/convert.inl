// One copy of the elementwise kernels and the table of the whole copy. See fir.inl for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "lanes.inl"
#include "affine_kernel.inl"
#include "quantize_kernel.inl"
#include "int24_kernel.inl"

}  // namespace

extern const KernelTable table = {
    .max_lanes = HEADRACE_MAX_LANES,
    .fir_shape = copy_fir_shape,
    .fir_run = copy_fir_run,
    .fir_forward = copy_fir_forward,
    .affine = affine,
    .quantize = quantize,
    .unpack_int24 = unpack_int24,
    .sos_workspace = copy_sos_workspace,
    .sos_run = copy_sos_run,
    .reference = copy_reference,
    .delay = copy_delay,
    .sift = copy_sift,
    .moment = copy_moment,
    .beyond = copy_beyond,
};

}  // namespace headrace::HEADRACE_ISA_NS
