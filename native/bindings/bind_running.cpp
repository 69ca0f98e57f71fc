#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "headrace/running.hpp"

namespace headrace::bindings {

namespace {

Border border_of(const std::string& mode) {
    if (mode == "reflect") return Border::reflect;
    if (mode == "mirror") return Border::mirror;
    if (mode == "nearest") return Border::nearest;
    if (mode == "constant") return Border::constant;
    const std::string message = "mode is one of reflect, mirror, nearest, constant, not " + mode;
    throw nb::value_error(message.c_str());
}

struct Arguments {
    ConstSamples in;
    Samples out;
    RunningWindow window;
};

Arguments arguments(const Readable& x, std::int64_t x_start, const Writable& out, std::int64_t out_start, std::int64_t n, std::int64_t size,
                    const std::string& mode, double cval) {
    const SampleType in_type = sample_type(x, "x"), out_type = sample_type(out, "out");
    const Extent in_extent = extent(x, "x"), out_extent = extent(out, "out");
    return {{x.data(), in_type, x_start, in_extent.count, in_extent.channels},
            {out.data(), out_type, out_start, out_extent.count, out_extent.channels},
            {size, n, border_of(mode), cval}};
}

void bind_median(nb::handle x_object, std::int64_t x_start, nb::handle out_object, std::int64_t out_start, std::int64_t n, std::int64_t size,
                 const std::string& mode, double cval) {
    const Readable x = readable(x_object, "x");
    const Writable out = writable(out_object, "out");
    const Arguments a = arguments(x, x_start, out, out_start, n, size, mode, cval);
    const nb::gil_scoped_release released;
    running_median(a.window, a.in, a.out);
}

void bind_mad(nb::handle x_object, std::int64_t x_start, nb::handle out_object, std::int64_t out_start, std::int64_t n, std::int64_t size,
              const std::string& mode, double cval, double scale) {
    const Readable x = readable(x_object, "x");
    const Writable out = writable(out_object, "out");
    const Arguments a = arguments(x, x_start, out, out_start, n, size, mode, cval);
    const nb::gil_scoped_release released;
    running_mad(a.window, a.in, a.out, scale);
}

void bind_std(nb::handle x_object, std::int64_t x_start, nb::handle out_object, std::int64_t out_start, std::int64_t n, std::int64_t size,
              const std::string& mode, double cval) {
    const Readable x = readable(x_object, "x");
    const Writable out = writable(out_object, "out");
    const Arguments a = arguments(x, x_start, out, out_start, n, size, mode, cval);
    const nb::gil_scoped_release released;
    running_std(a.window, a.in, a.out);
}

}  // namespace

#define HEADRACE_RUNNING_SIG                                                                                               \
    "(x: numpy.typing.NDArray[typing.Any], x_start: int, out: numpy.typing.NDArray[typing.Any], out_start: int, n: int, size: int, " \
    "mode: str, cval: float"

void bind_running(nb::module_& m) {
    m.def("running_median", &bind_median, nb::arg("x"), nb::arg("x_start"), nb::arg("out"), nb::arg("out_start"), nb::arg("n"),
          nb::arg("size"), nb::arg("mode"), nb::arg("cval"), nb::sig("def running_median" HEADRACE_RUNNING_SIG ") -> None"),
          "Write the sample of rank size // 2 of the window [t - size // 2, t - size // 2 + size) for each sample t of `out`.\n\n"
          "`x` and `out` are samples from `x_start` and `out_start` on of a signal of `n`, (m,) or (m, channels) of one real dtype; `x` holds\n"
          "all that the windows are made of. `mode` (reflect, mirror, nearest, constant) says what lies beyond the ends, as scipy.ndimage has\n"
          "it; `cval` is the constant. A window with a NaN gives NaN. Raises ValueError and TypeError.");
    m.def("running_mad", &bind_mad, nb::arg("x"), nb::arg("x_start"), nb::arg("out"), nb::arg("out_start"), nb::arg("n"), nb::arg("size"),
          nb::arg("mode"), nb::arg("cval"), nb::arg("scale"), nb::sig("def running_mad" HEADRACE_RUNNING_SIG ", scale: float) -> None"),
          "Write the median of the distances from the median, as numpy.median gives both in float64, divided by `scale`.\n\n"
          "Windows and arguments are those of `running_median`; `out` is float32 or float64, `x` not of 64-bit integers.");
    m.def("running_std", &bind_std, nb::arg("x"), nb::arg("x_start"), nb::arg("out"), nb::arg("out_start"), nb::arg("n"), nb::arg("size"),
          nb::arg("mode"), nb::arg("cval"), nb::sig("def running_std" HEADRACE_RUNNING_SIG ") -> None"),
          "Write the standard deviation (ddof 0) of each window, computed in float64.\n\n"
          "Windows and arguments are those of `running_median`; `out` is float32 or float64, `x` not of 64-bit integers.");
    m.def(
        "running_ranks_workspace",
        [](nb::handle x, std::int64_t size, std::int64_t channels) {
            return running_ranks_workspace(sample_type(readable(x, "x"), "x"), size, channels);
        },
        nb::arg("x"), nb::arg("size"), nb::arg("channels"),
        nb::sig("def running_ranks_workspace(x: numpy.typing.NDArray[typing.Any], size: int, channels: int) -> int"),
        "Bytes that one call of `running_median` or `running_mad` allocates at most for samples of the dtype of `x`.");
    m.def("running_std_workspace", &running_std_workspace, nb::arg("size"), "Bytes that one call of `running_std` allocates at most.");
    m.def("running_tile", &running_tile, nb::arg("size"), "Windows of one channel that are efficient to ask for at once.");
}

#undef HEADRACE_RUNNING_SIG

}  // namespace headrace::bindings
