#include <memory>

#include "arrays.hpp"
#include "headrace/fir.hpp"

namespace headrace::bindings {

namespace {

// In numpy terms: readable(x) and writable(out) are C-contiguous (n,) or (n, channels).
void apply(const FirKernel& kernel, nb::handle x, std::int64_t x_start, std::int64_t shift, nb::handle out, std::int64_t out_start) {
    const Readable in = readable(x, "x");
    const Writable result = writable(out, "out");
    const SampleType in_type = sample_type(in, "x"), out_type = sample_type(result, "out");
    if (in_type == SampleType::i64 || in_type == SampleType::u64)
        throw nb::type_error("x is a 64-bit integer array, which float64 does not hold exactly; convert it with astype(float64)");
    if (out_type < SampleType::f32) throw nb::type_error("out must be float32, float64, complex64 or complex128");
    const Extent in_extent = extent(in, "x"), out_extent = extent(result, "out");
    const ConstSamples source{in.data(), in_type, x_start, in_extent.count, in_extent.channels};
    const Samples target{result.data(), out_type, out_start, out_extent.count, out_extent.channels};
    const nb::gil_scoped_release released;
    kernel.apply(source, shift, target);
}

void construct(FirKernel* self, nb::handle taps_object, bool complex_input) {
    const Readable taps = readable(taps_object, "taps");
    const SampleType type = sample_type(taps, "taps");
    if (type != SampleType::f64 && type != SampleType::c128) throw nb::type_error("taps must be float64 or complex128");
    if (taps.ndim() != 1) throw nb::value_error("taps must have one dimension");
    const bool complex_taps = type == SampleType::c128;
    const std::span<const double> values(static_cast<const double*>(taps.data()), taps.size() * (complex_taps ? 2 : 1));
    const nb::gil_scoped_release released;
    new (self) FirKernel(values, complex_taps, complex_input);
}

}  // namespace

void bind_fir(nb::module_& m) {
    nb::class_<FirKernel>(m, "FirKernel",
                          "Filter by overlap-save in float64: the float64 whole-array convolution, rounded once to the output.\n\n"
                          "The signal axis is cut into cells of `cell` outputs from output 0 on. The bytes of an output depend on the\n"
                          "taps, the number of its cell and the input samples that the cell needs, and on nothing else.\n"
                          "Immutable; any number of threads may call `apply` at once.")
        .def("__init__", &construct, nb::arg("taps"), nb::arg("complex_input") = false,
             nb::sig("def __init__(self, taps: numpy.typing.NDArray[numpy.float64] | numpy.typing.NDArray[numpy.complex128], "
                     "complex_input: bool = False) -> None"),
             "Plan for `taps`, (K,) finite and C-contiguous.\n\nRaises ValueError for no taps, too many, or taps that are not finite; "
             "TypeError for other dtypes.")
        .def_prop_ro("taps_count", &FirKernel::taps_count, "Number of taps, K.")
        .def_prop_ro("fft_length", &FirKernel::fft_length, "Length of the transforms, a function of K alone.")
        .def_prop_ro("step", &FirKernel::step, "Outputs per transform block: fft_length - K + 1.")
        .def_prop_ro("cell", &FirKernel::cell,
                     "Outputs per cell: 2 * step for real taps and input (two blocks share a complex transform), else step.")
        .def_prop_ro("complex_input", &FirKernel::complex_input, "Whether `apply` takes complex samples.")
        .def_prop_ro("complex_output", &FirKernel::complex_output, "Whether `apply` writes complex samples.")
        .def("workspace_bytes", &FirKernel::workspace_bytes, nb::arg("n_channels"),
             "Bytes that one call of `apply` allocates at most. Of these a thread keeps at most 1 MiB for its next call.")
        .def_prop_ro("lanes", &FirKernel::lanes,
                     "Cells (of any channels) computed side by side on the ISA in use: calls of a multiple of that many waste nothing.")
        .def("apply", &apply, nb::arg("x"), nb::arg("x_start"), nb::arg("shift"), nb::arg("out"), nb::arg("out_start"),
             nb::sig("def apply(self, x: numpy.typing.NDArray[typing.Any], x_start: int, shift: int, "
                     "out: numpy.typing.NDArray[typing.Any], out_start: int) -> None"),
             "Write out[o - out_start] = sum over k of taps[k] * x[o + shift - k - x_start]; samples outside `x` are zero.\n\n"
             "`x` is (m,) or (m, channels), int8 to int32, uint8 to uint32, float32, float64, or complex64, complex128 for a kernel\n"
             "made with complex_input. `out` is likewise float32, float64, complex64 or complex128 and may not overlap `x`.\n"
             "`out_start` is a multiple of `cell`; the last cell may be partial, and then input beyond the last needed sample counts\n"
             "as zero. NaN and infinities reach exactly the outputs whose window holds them. Raises ValueError and TypeError.");
}

}  // namespace headrace::bindings
