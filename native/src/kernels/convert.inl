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

extern const KernelTable table;
const KernelTable table = {HEADRACE_MAX_LANES, copy_fir_shape, copy_fir_run, copy_fir_forward, affine, quantize, unpack_int24,
                           copy_sift, copy_moment, copy_beyond};

}  // namespace headrace::HEADRACE_ISA_NS
