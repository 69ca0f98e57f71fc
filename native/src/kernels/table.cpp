// The table of one copy of the kernels: all that the rest of the core sees of it.
#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {

extern const KernelTable table = {
    .max_lanes = HEADRACE_MAX_LANES,
    .fir_shape = copy_fir_shape,
    .fir_run = copy_fir_run,
    .fir_forward = copy_fir_forward,
    .affine = copy_affine,
    .quantize = copy_quantize,
    .unpack_int24 = copy_unpack_int24,
    .sos_workspace = copy_sos_workspace,
    .sos_run = copy_sos_run,
    .reference = copy_reference,
    .delay = copy_delay,
    .resample = copy_resample,
    .twiddle = copy_twiddle,
    .running_median = copy_running_median,
    .running_mad = copy_running_mad,
    .running_std = copy_running_std,
    .frames = copy_frames,
    .sift = copy_sift,
    .moment = copy_moment,
    .beyond = copy_beyond,
};

}  // namespace headrace::HEADRACE_ISA_NS
