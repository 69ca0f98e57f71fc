#include "arrays.hpp"
#include "headrace/delay.hpp"
#include "headrace/reference.hpp"

namespace headrace::bindings {

namespace {

template <class T>
std::span<const T> whole_numbers(const Readable& array, SampleType type, const char* what, const char* name) {
    if (sample_type(array, what) != type || array.ndim() != 1) {
        const std::string message = std::string(what) + " must be " + name + " with one dimension";
        throw nb::type_error(message.c_str());
    }
    return {static_cast<const T*>(array.data()), array.size()};
}

void bind_subtract_reference(nb::handle src_object, nb::handle out_object, nb::handle members_object, nb::handle targets_object,
                             bool median) {
    const Readable src = readable(src_object, "src"), members = readable(members_object, "members"),
                   targets = readable(targets_object, "targets");
    const Writable out = writable(out_object, "out");
    const SampleType src_type = sample_type(src, "src"), out_type = sample_type(out, "out");
    const Extent size = extent(src, "src");
    same_shape(src, "src", out, "out");
    const auto counted = whole_numbers<std::int32_t>(members, SampleType::i32, "members", "int32");
    const auto subtracted = whole_numbers<std::int32_t>(targets, SampleType::i32, "targets", "int32");
    const nb::gil_scoped_release released;
    subtract_reference(src.data(), src_type, out.data(), out_type, size.count, size.channels, counted, subtracted, median);
}

void bind_delay(nb::handle x_object, std::int64_t x_start, nb::handle out_object, std::int64_t out_start, nb::handle taps_object,
                nb::handle lags_object) {
    const Readable x = readable(x_object, "x"), taps = readable(taps_object, "taps"), lags = readable(lags_object, "lags");
    const Writable out = writable(out_object, "out");
    const SampleType in_type = sample_type(x, "x"), out_type = sample_type(out, "out");
    if (sample_type(taps, "taps") != SampleType::f64 || taps.ndim() != 2) throw nb::type_error("taps must be float64 with two dimensions");
    const std::span<const double> coefficients(static_cast<const double*>(taps.data()), taps.size());
    const auto lag = whole_numbers<std::int64_t>(lags, SampleType::i64, "lags", "int64");
    const Extent in_extent = extent(x, "x"), out_extent = extent(out, "out");
    const ConstSamples source{x.data(), in_type, x_start, in_extent.count, in_extent.channels};
    const Samples target{out.data(), out_type, out_start, out_extent.count, out_extent.channels};
    const auto count = static_cast<std::int64_t>(taps.shape(1));
    const nb::gil_scoped_release released;
    delay(source, target, count, coefficients, lag);
}

}  // namespace

void bind_spatial(nb::module_& m) {
    m.def("subtract_reference", &bind_subtract_reference, nb::arg("src"), nb::arg("out"), nb::arg("members"), nb::arg("targets"),
          nb::arg("median"),
          nb::sig("def subtract_reference(src: numpy.typing.NDArray[typing.Any], out: numpy.typing.NDArray[typing.Any], "
                  "members: numpy.typing.NDArray[numpy.int32], targets: numpy.typing.NDArray[numpy.int32], median: bool) -> None"),
          "Write `src` minus, at each sample, the median (else the mean) over a group of channels; in float64, rounded once to `out`.\n\n"
          "`src` is (n,) or (n, channels) of a real dtype, `out` of the same shape float32 or float64. Channel c counts in the reference\n"
          "of group members[c] and has that of group targets[c] subtracted; -1 is none, and is left as it is. Groups are numbered from 0\n"
          "and each has a member. A NaN makes the reference of its group NaN. Raises ValueError and TypeError.");
    m.def("reference_workspace", &reference_workspace, nb::arg("n_channels"), "Bytes that one call of `subtract_reference` allocates at most.");
    m.def("delay", &bind_delay, nb::arg("x"), nb::arg("x_start"), nb::arg("out"), nb::arg("out_start"), nb::arg("taps"), nb::arg("lags"),
          nb::sig("def delay(x: numpy.typing.NDArray[typing.Any], x_start: int, out: numpy.typing.NDArray[typing.Any], out_start: int, "
                  "taps: numpy.typing.NDArray[numpy.float64], lags: numpy.typing.NDArray[numpy.int64]) -> None"),
          "Write out[o - out_start, c] = sum over k of taps[c, k] * x[o - lags[c] - k - x_start, c]; samples outside `x` are zero.\n\n"
          "`x` is (m,) or (m, channels) of a real dtype, `out` float32 or float64 with as many channels, `taps` (channels, K), `lags`\n"
          "(channels,). In float64 from k = 0 on, rounded once. A channel whose taps are zeros and a single 1 is copied. Raises\n"
          "ValueError and TypeError.");
    m.def("delay_workspace", &delay_workspace, nb::arg("n_channels"), nb::arg("taps_count"),
          "Bytes that one call of `delay` allocates at most.");
}

}  // namespace headrace::bindings
