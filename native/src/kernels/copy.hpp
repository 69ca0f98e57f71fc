// The functions by which a copy's FIR and SOS translation units are known to its table. Included once per copy, hence no #pragma once.
namespace headrace::HEADRACE_ISA_NS {
FirShape copy_fir_shape(const FirPlan& plan, int lanes);
void copy_fir_run(const FirJob& job, int lanes, double* workspace);
void copy_fir_forward(const FirPlan& plan, double* rows);
std::int64_t copy_sos_workspace(const SosPlan& plan, std::int64_t channels, SosTask task);
void copy_sos_run(const SosJob& job, double* workspace);
}  // namespace headrace::HEADRACE_ISA_NS
