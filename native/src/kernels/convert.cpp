// One copy of the elementwise kernels. See fir.cpp for the rule about linkage.
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "headrace/kernels.hpp"
#include "copy.hpp"

namespace headrace::HEADRACE_ISA_NS {
namespace {

#include "lanes.inl"
#include "affine_kernel.inl"
#include "integer_limits.inl"
#include "quantize_kernel.inl"
#include "int24_kernel.inl"

}  // namespace

void copy_affine(const AffineJob& job) { affine(job); }
std::int64_t copy_quantize(const QuantizeJob& job) { return quantize(job); }
void copy_unpack_int24(const std::uint8_t* src, std::int32_t* dst, std::int64_t count, bool big_endian) {
    unpack_int24(src, dst, count, big_endian);
}

}  // namespace headrace::HEADRACE_ISA_NS
