#include "arrays.hpp"
#include "headrace/frames.hpp"

namespace headrace::bindings {

namespace {

void construct(FrameKernel* self, nb::handle window_object, std::int64_t points, std::int64_t turn) {
    const Readable window = readable(window_object, "window");
    const std::span<const double> values = doubles(window, "window");
    const nb::gil_scoped_release released;
    new (self) FrameKernel(values, points, turn);
}

void spectra(const FrameKernel& kernel, nb::handle line_object, std::int64_t hop, std::int64_t frames, nb::handle out_object,
             std::int64_t first, std::int64_t column) {
    const Readable line = readable(line_object, "line");
    const Writable out = writable(out_object, "out");
    const std::span<const double> samples = doubles(line, "line");
    const SampleType type = sample_type(out, "out");
    const Extent room = extent(out, "out");
    if (first < 0 || frames < 0 || first > room.count - frames || column < 0 || column > room.channels - kernel.freqs())
        throw nb::value_error("frames and frequencies must lie inside out");
    auto* begin = static_cast<char*>(out.data()) + (first * room.channels + column) * static_cast<std::int64_t>(out.itemsize());
    const nb::gil_scoped_release released;
    kernel.spectra(samples, hop, frames, begin, type, room.channels);
}

void power_sums(const FrameKernel& kernel, nb::handle line_object, std::int64_t hop, std::int64_t frames, nb::handle out_object) {
    const Readable line = readable(line_object, "line");
    const Writable out = writable(out_object, "out");
    const std::span<const double> samples = doubles(line, "line");
    if (sample_type(out, "out") != SampleType::f64 || out.ndim() != 1) throw nb::type_error("out must be float64 with one dimension");
    const std::span<double> sums(static_cast<double*>(out.data()), out.size());
    const nb::gil_scoped_release released;
    kernel.power_sums(samples, hop, frames, sums);
}

}  // namespace

void bind_frames(nb::module_& m) {
    nb::class_<FrameKernel>(m, "FrameKernel",
                            "Spectra of overlapping frames of real samples, in float64.\n\n"
                            "Frames 0 and 1, 2 and 3 ... of a call share a transform; the bytes of a spectrum depend on the two frames of\n"
                            "its pair and on nothing else. Immutable; any number of threads may use one at once.")
        .def("__init__", &construct, nb::arg("window"), nb::arg("points"), nb::arg("turn") = 0,
             nb::sig("def __init__(self, window: numpy.typing.NDArray[numpy.float64], points: int, turn: int = 0) -> None"),
             "Plan for frames under `window`, (nperseg,), filled up with zeros to `points`, a power of two from 16 to 16384.\n\n"
             "Phases count from sample `turn` of a frame. Raises ValueError and TypeError.")
        .def("workspace_bytes", &FrameKernel::workspace_bytes, "Bytes that one call allocates at most.")
        .def("spectra", &spectra, nb::arg("line"), nb::arg("hop"), nb::arg("frames"), nb::arg("out"), nb::arg("first") = 0,
             nb::arg("column") = 0,
             nb::sig("def spectra(self, line: numpy.typing.NDArray[numpy.float64], hop: int, frames: int, "
                     "out: numpy.typing.NDArray[typing.Any], first: int = 0, column: int = 0) -> None"),
             "Write the spectra of the frames line[i * hop:][:nperseg], or their power, to out[first + i, column:][:points // 2 + 1].\n\n"
             "`out` is (rows, columns), complex64 or complex128 for spectra, float32 or float64 for power. A frame that holds a NaN or an\n"
             "infinity gives NaN. Raises ValueError and TypeError.")
        .def("power_sums", &power_sums, nb::arg("line"), nb::arg("hop"), nb::arg("frames"), nb::arg("out"),
             nb::sig("def power_sums(self, line: numpy.typing.NDArray[numpy.float64], hop: int, frames: int, "
                     "out: numpy.typing.NDArray[numpy.float64]) -> None"),
             "Add the power of the frames, summed over them in an order of its own, to `out`, (points // 2 + 1,).\n\n"
             "Raises ValueError and TypeError.");
}

}  // namespace headrace::bindings
