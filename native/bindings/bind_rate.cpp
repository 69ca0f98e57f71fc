#include "arrays.hpp"
#include "headrace/resample.hpp"

namespace headrace::bindings {

namespace {

void bind_resample(nb::handle x_object, std::int64_t x_start, nb::handle out_object, std::int64_t out_start, nb::handle phases_object,
                   std::int64_t taps, std::int64_t down, std::int64_t delay) {
    const Readable x = readable(x_object, "x"), phases = readable(phases_object, "phases");
    const Writable out = writable(out_object, "out");
    const SampleType in_type = sample_type(x, "x"), out_type = sample_type(out, "out");
    if (sample_type(phases, "phases") != SampleType::f64 || phases.ndim() != 2)
        throw nb::type_error("phases must be float64 with two dimensions");
    const Extent in_extent = extent(x, "x"), out_extent = extent(out, "out");
    const ConstSamples source{x.data(), in_type, x_start, in_extent.count, in_extent.channels};
    const Samples target{out.data(), out_type, out_start, out_extent.count, out_extent.channels};
    const std::span<const double> rows(static_cast<const double*>(phases.data()), phases.size());
    const auto up = static_cast<std::int64_t>(phases.shape(0));
    const nb::gil_scoped_release released;
    resample(source, target, taps, up, down, delay, rows);
}

}  // namespace

void bind_rate(nb::module_& m) {
    m.def("resample", &bind_resample, nb::arg("x"), nb::arg("x_start"), nb::arg("out"), nb::arg("out_start"), nb::arg("phases"),
          nb::arg("taps"), nb::arg("down"), nb::arg("delay"),
          nb::sig("def resample(x: numpy.typing.NDArray[typing.Any], x_start: int, out: numpy.typing.NDArray[typing.Any], out_start: int, "
                  "phases: numpy.typing.NDArray[numpy.float64], taps: int, down: int, delay: int) -> None"),
          "Write out[o - out_start, c] = sum over k of h[o * down + delay - k * up] * x[k - x_start, c], for `taps` taps h.\n\n"
          "`x` is (m,) or (m, channels) of a real dtype, `out` float32 or float64 with as many channels; phases[p, j] is h[p + j * up],\n"
          "zero where there is none, for p < up. Summed in float64 from the largest k down, rounded once; samples outside `x` and taps\n"
          "that do not exist are left out. Raises ValueError and TypeError.");
    m.def("resample_workspace", &resample_workspace, nb::arg("taps"), nb::arg("up"), nb::arg("down"),
          "Bytes that one call of `resample` allocates at most.");
}

}  // namespace headrace::bindings
