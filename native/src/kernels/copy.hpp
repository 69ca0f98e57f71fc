// The functions by which a copy's translation units are known to its table.
#pragma once
#include "headrace/kernels.hpp"

namespace headrace::HEADRACE_ISA_NS {
FirShape copy_fir_shape(const FirPlan& plan, int lanes);
void copy_fir_run(const FirJob& job, int lanes, double* workspace);
void copy_fir_forward(const FirPlan& plan, double* rows);
void copy_affine(const AffineJob& job);
std::int64_t copy_quantize(const QuantizeJob& job);
void copy_unpack_int24(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian);
std::int64_t copy_sos_workspace(const SosPlan& plan, std::int64_t channels, SosTask task);
void copy_sos_run(const SosJob& job, double* workspace);
void copy_reference(const ReferenceJob& job);
void copy_delay(const DelayJob& job);
void copy_resample(const ResampleJob& job);
void copy_twiddle(const TwiddleJob& job);
void copy_running_median(const RunningJob& job);
void copy_running_mad(const RunningJob& job);
void copy_running_std(const RunningJob& job);
void copy_frames(const FramesJob& job, int lanes, double* workspace);
void copy_sift(SiftJob& job);
double copy_moment(const MomentJob& job);
bool copy_beyond(const BeyondJob& job);
}  // namespace headrace::HEADRACE_ISA_NS
