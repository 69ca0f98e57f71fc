#include <string>
#include <type_traits>

#include "arrays.hpp"
#include "headrace/sos.hpp"

namespace headrace::bindings {

namespace {

// A writable or readable float64 array of exactly this shape.
template <class Array>
double* states_of(const SosKernel& kernel, const Array& array, const char* what, std::int64_t cells, std::int64_t channels) {
    if (sample_type(array, what) != SampleType::f64) throw nb::type_error((std::string(what) + " must be float64").c_str());
    std::string wanted, got;
    bool right = true;
    std::size_t d = 0;
    const std::int64_t shape[] = {cells, kernel.sections(), 2, channels};
    for (std::size_t i = cells < 0 ? 1 : 0; i < 4; ++i, ++d) {
        right = right && d < array.ndim() && static_cast<std::int64_t>(array.shape(d)) == shape[i];
        wanted += (d ? ", " : "") + std::to_string(shape[i]);
    }
    for (std::size_t i = 0; i < array.ndim(); ++i) got += (i ? ", " : "") + std::to_string(array.shape(i));
    if (!right || d != array.ndim())
        throw nb::value_error((std::string(what) + " must have shape (" + wanted + "), not (" + got + ")").c_str());
    return const_cast<double*>(static_cast<const double*>(array.data()));
}

void construct(SosKernel* self, nb::handle sos_object, bool exact) {
    const Readable sos = readable(sos_object, "sos");
    if (sample_type(sos, "sos") != SampleType::f64) throw nb::type_error("sos must be float64");
    if (sos.ndim() != 2 || sos.shape(1) != 6) throw nb::value_error("sos must have shape (sections, 6)");
    const std::span<const double> values(static_cast<const double*>(sos.data()), sos.size());
    const nb::gil_scoped_release released;
    new (self) SosKernel(values, exact);
}

// Some of the channels of an array: [first, stop).
struct Some {
    std::int64_t first = 0, stop = -1;
};

template <class Pointer>
Pointer advanced(Pointer data, SampleType type, std::int64_t elements) {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
    return static_cast<Byte*>(data) + elements * static_cast<std::int64_t>(item_size(type));
}

// `starts` is none but for survey (written) and both (read). `out` may be None for forward and backward.
void run(const SosKernel& kernel, SosTask task, nb::handle x, nb::handle starts, nb::handle state, nb::handle out, Some some = {}) {
    const Readable in = readable(x, "x");
    Extent in_extent = extent(in, "x");
    SosJob job;
    job.task = task;
    job.row = in_extent.channels;
    if (some.stop >= 0) {
        if (some.first < 0 || some.stop <= some.first || some.stop > in_extent.channels)
            throw nb::value_error("first and stop must name channels of x");
        in_extent.channels = some.stop - some.first;
    }
    const SampleType in_type = sample_type(in, "x");
    job.in = {advanced(in.data(), in_type, some.first), in_type, 0, in_extent.count, in_extent.channels};
    const Writable carried = writable(state, "state");
    job.state = states_of(kernel, carried, "state", -1, in_extent.channels);
    const std::int64_t cells = (in_extent.count + kernel.cell() - 1) / kernel.cell();
    if (task == SosTask::survey) job.starts = states_of(kernel, writable(starts, "starts"), "starts", cells, in_extent.channels);
    if (task == SosTask::both) job.starts = states_of(kernel, readable(starts, "starts"), "starts", cells, in_extent.channels);
    if (!out.is_none()) {
        const Writable result = writable(out, "out");
        const SampleType type = sample_type(result, "out");
        if (type != SampleType::f32 && type != SampleType::f64) throw nb::type_error("out must be float32 or float64");
        Extent out_extent = extent(result, "out");
        if (out_extent.channels != job.row) throw nb::value_error("out must have as many channels as x");
        out_extent.channels = in_extent.channels;
        job.out = {advanced(result.data(), type, some.first), type, 0, out_extent.count, out_extent.channels};
    }
    const nb::gil_scoped_release released;
    kernel.run(job);
}

}  // namespace

void bind_sos(nb::module_& m) {
    nb::class_<SosKernel>(
        m, "SosKernel",
        "Filter by second-order sections, forwards, backwards or both, with the state carried from call to call.\n\n"
        "`exact`: SciPy's order of operations in float64, bit-equal to `scipy.signal.sosfilt` done in float64. Otherwise float64 with\n"
        "fused multiply-adds on a fixed grid of cells of `cell` samples, counted from the first sample of a call: the same bytes on\n"
        "every ISA, and however the signal is cut into calls, as long as they are cut on the grid (see `grid`).\n\n"
        "Arrays: `x` is (n,) or (n, channels) of any integer type, float32 or float64; `out` of the same shape is float32 or float64\n"
        "and may not overlap `x`, or None where only the state is wanted; states are float64 (sections, 2, channels), as the `zi` of\n"
        "SciPy for each channel, with channels = 1 for (n,). All C-contiguous. View complex samples as twice as many channels.\n"
        "Immutable; any number of threads may call it at once. Raises ValueError and TypeError.")
        .def("__init__", &construct, nb::arg("sos"), nb::arg("exact") = false,
             nb::sig("def __init__(self, sos: numpy.typing.NDArray[numpy.float64], exact: bool = False) -> None"),
             "Plan for `sos`, (sections, 6): rows b0, b1, b2, 1, a1, a2, finite and C-contiguous.\n\n"
             "Raises ValueError for other shapes and values; TypeError for other dtypes.")
        .def_prop_ro("sections", &SosKernel::sections, "Number of sections.")
        .def_prop_ro("exact", &SosKernel::exact, "Whether SciPy's order of operations is kept.")
        .def_prop_ro("cell", &SosKernel::cell, "Samples per cell of `survey` and `both`; a multiple of every `grid`.")
        .def_prop_ro("memory", &SosKernel::memory, "Samples of a block that still show in the state at its end; 0 for an exact kernel.")
        .def("grid", &SosKernel::grid, nb::arg("n_channels"),
             "Samples after a multiple of which `forward` and `backward` may be cut into calls without a change of bytes.")
        .def(
            "workspace_bytes", [](const SosKernel& k, std::int64_t n_channels,
                                  bool both) { return k.workspace_bytes(n_channels, both ? SosTask::both : SosTask::forward); },
            nb::arg("n_channels"), nb::arg("both") = false,
            "Bytes that one call allocates at most; `both`: one of that name. Of these a thread keeps at most 1 MiB for its next call.")
        .def(
            "forward", [](const SosKernel& k, nb::handle x, nb::handle state,
                          nb::handle out) { run(k, SosTask::forward, x, nb::none(), state, out); },
            nb::arg("x"), nb::arg("state"), nb::arg("out").none(),
            nb::sig("def forward(self, x: numpy.typing.NDArray[typing.Any], state: numpy.typing.NDArray[numpy.float64], "
                    "out: numpy.typing.NDArray[typing.Any] | None) -> None"),
            "Filter `x` into `out`. `state`, that before the first sample, becomes that after the last.")
        .def(
            "backward", [](const SosKernel& k, nb::handle x, nb::handle state,
                           nb::handle out) { run(k, SosTask::backward, x, nb::none(), state, out); },
            nb::arg("x"), nb::arg("state"), nb::arg("out").none(),
            nb::sig("def backward(self, x: numpy.typing.NDArray[typing.Any], state: numpy.typing.NDArray[numpy.float64], "
                    "out: numpy.typing.NDArray[typing.Any] | None) -> None"),
            "Filter `x` into `out` from its last sample to its first. `state`, that before the last sample, becomes that after the first.\n\n"
            "The grid counts from the first sample of `x`; a short cell is at the end of `x` and so comes first.")
        .def(
            "survey", [](const SosKernel& k, nb::handle x, nb::handle state, nb::handle starts, std::int64_t first,
                         std::int64_t stop) { run(k, SosTask::survey, x, starts, state, nb::none(), {first, stop}); },
            nb::arg("x"), nb::arg("state"), nb::arg("starts"), nb::arg("first") = 0, nb::arg("stop") = -1,
            nb::sig("def survey(self, x: numpy.typing.NDArray[typing.Any], state: numpy.typing.NDArray[numpy.float64], "
                    "starts: numpy.typing.NDArray[numpy.float64], first: int = 0, stop: int = -1) -> None"),
            "Go through `x` as `forward` does, without output: write the state before each cell.\n\n"
            "`starts` is (ceil(n / cell), sections, 2, channels); `x` begins on a multiple of `cell`. The states are those of `forward`.\n"
            "With `stop`, only channels [first, stop), at least eight, are gone through, and the states are those of these.")
        .def(
            "both", [](const SosKernel& k, nb::handle x, nb::handle starts, nb::handle state, nb::handle out, std::int64_t first,
                       std::int64_t stop) { run(k, SosTask::both, x, starts, state, out, {first, stop}); },
            nb::arg("x"), nb::arg("starts"), nb::arg("state"), nb::arg("out"), nb::arg("first") = 0, nb::arg("stop") = -1,
            nb::sig("def both(self, x: numpy.typing.NDArray[typing.Any], starts: numpy.typing.NDArray[numpy.float64], "
                    "state: numpy.typing.NDArray[numpy.float64], out: numpy.typing.NDArray[typing.Any], first: int = 0, "
                    "stop: int = -1) -> None"),
            "Filter `x` forwards from the states that `survey` found, and the result, kept in float64, backwards into `out`.\n\n"
            "`state` is that of the backward pass: before the last sample of `x`, then after the first. The same bytes as `forward` into\n"
            "float64 and then `backward`, without memory for the signal in between. `x` begins on a multiple of `cell`. `first` and\n"
            "`stop` as in `survey`.");
}

}  // namespace headrace::bindings
