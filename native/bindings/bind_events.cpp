#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <memory>
#include <span>

#include "arrays.hpp"
#include "headrace/select.hpp"
#include "headrace/threshold.hpp"

namespace headrace::bindings {

namespace {

ConstSamples real_samples(const Readable& x, std::int64_t start) {
    const SampleType type = sample_type(x, "x");
    if (is_complex(type)) throw nb::type_error("x must be real");
    const Extent size = extent(x, "x");
    return {x.data(), type, start, size.count, size.channels};
}

void bind_medians(nb::handle x_object, nb::handle out_object) {
    const Readable x = readable(x_object, "x");
    const Writable out = writable(out_object, "out");
    const ConstSamples samples = real_samples(x, 0);
    if (sample_type(out, "out") != SampleType::f64 || out.ndim() != 1) throw nb::type_error("out must be float64 with one dimension");
    if (static_cast<std::int64_t>(out.size()) != samples.channels) {
        const std::string message = "out has " + std::to_string(out.size()) + " values, but x has " + std::to_string(samples.channels) + " channels";
        throw nb::value_error(message.c_str());
    }
    const nb::gil_scoped_release released;
    medians(samples, {static_cast<double*>(out.data()), out.size()});
}

template <class T>
T chosen(const std::string& word, const char* what, std::initializer_list<std::pair<const char*, T>> known) {
    std::string names;
    for (const auto& [name, value] : known) {
        if (word == name) return value;
        names += (names.empty() ? "" : ", ") + std::string(name);
    }
    const std::string message = std::string(what) + " is one of " + names + ", not " + word;
    throw nb::value_error(message.c_str());
}

ThresholdRule make_rule(double k, const std::string& noise, const std::string& polarity, const std::string& nan, std::int64_t window) {
    if (!std::isfinite(k) || k < 0 || window < 0) throw nb::value_error("k must be finite and neither k nor window negative");
    return {k, chosen<Noise>(noise, "noise", {{"mad", Noise::mad}, {"std", Noise::std}}),
            chosen<Polarity>(polarity, "polarity", {{"both", Polarity::both}, {"pos", Polarity::pos}, {"neg", Polarity::neg}}),
            chosen<Missing>(nan, "nan", {{"raise", Missing::raise}, {"ignore", Missing::ignore}, {"gap", Missing::gap}}), window};
}

using Bytes = nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>>;

template <class T>
Bytes owned(std::vector<T>&& values) {
    auto kept = std::make_unique<std::vector<T>>(std::move(values));
    const std::size_t size = kept->size() * sizeof(T);
    void* data = kept->data();
    const nb::capsule owner(kept.get(), [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    kept.release();
    return Bytes(data, {size}, owner);
}

// A view that Python may use during the call.
Bytes lent(std::span<const Piece> pieces) {
    const auto bytes = std::as_bytes(pieces);
    return Bytes(const_cast<std::byte*>(bytes.data()), {bytes.size()}, nb::none());
}

nb::tuple find(const ThresholdRule& rule, nb::handle x_object, std::int64_t x_start, std::int64_t start, std::int64_t stop, std::int64_t most,
               nb::handle overflow) {
    const Readable x = readable(x_object, "x");
    const ConstSamples samples = real_samples(x, x_start);
    if (start < x_start || stop < start || stop > x_start + samples.count) {
        const std::string message = "samples [" + std::to_string(start) + ", " + std::to_string(stop) + ") do not lie inside x, which holds [" +
                                    std::to_string(x_start) + ", " + std::to_string(x_start + samples.count) + ")";
        throw nb::value_error(message.c_str());
    }
    if (most < 1) throw nb::value_error("most must be positive");
    Found found;
    {
        const nb::gil_scoped_release released;
        found = find_beyond(rule, samples, start, stop, static_cast<std::size_t>(most), [overflow](std::span<const Piece> pieces) {
            const nb::gil_scoped_acquire acquired;
            overflow(lent(pieces));
        });
        found.pieces.shrink_to_fit();
    }
    return nb::make_tuple(owned(std::move(found.pieces)), owned(std::move(found.states)), found.nan_sample, found.nan_channel);
}

}  // namespace

void bind_events(nb::module_& m) {
    m.def("medians", &bind_medians, nb::arg("x"), nb::arg("out"),
          nb::sig("def medians(x: numpy.typing.NDArray[typing.Any], out: numpy.typing.NDArray[numpy.float64]) -> None"),
          "Write the median of each channel of `x`, (n,) or (n, channels) of any real dtype, into `out`, (channels,).\n\n"
          "As numpy.median gives it on float64: for an even n the mean of the two middle values, NaN where a channel has a NaN, or n is 0.\n"
          "Raises ValueError and TypeError.");
    m.def(
        "medians_workspace_bytes",
        [](nb::handle x) {
            const Readable array = readable(x, "x");
            const ConstSamples samples = real_samples(array, 0);
            return medians_workspace_bytes(samples.type, samples.count, samples.channels);
        },
        nb::arg("x"), nb::sig("def medians_workspace_bytes(x: numpy.typing.NDArray[typing.Any]) -> int"),
        "Bytes that `medians` allocates at most for an array of this dtype and shape.");
    nb::class_<ThresholdRule>(m, "ThresholdKernel",
                              "Find the runs of samples strictly beyond median +- k * noise, in float64.\n\n"
                              "Median and noise are those of the samples asked for, or with `window` of the W samples [i - W // 2, i - W // 2 + W)\n"
                              "around each. `noise` is mad (divided by the normal distribution's upper quartile) or std (ddof 0), `polarity` both, pos\n"
                              "or neg, `nan` raise, ignore or gap. Immutable; any number of threads may call `find` at once.")
        .def(
            "__init__",
            [](ThresholdRule* self, double k, const std::string& noise, const std::string& polarity, const std::string& nan,
               std::int64_t window) { new (self) ThresholdRule(make_rule(k, noise, polarity, nan, window)); },
            nb::arg("k"), nb::arg("noise"), nb::arg("polarity"), nb::arg("nan"), nb::arg("window") = 0, "Raises ValueError.")
        .def("find", &find, nb::arg("x"), nb::arg("x_start"), nb::arg("start"), nb::arg("stop"), nb::arg("most"), nb::arg("overflow"),
             nb::sig("def find(self, x: numpy.typing.NDArray[typing.Any], x_start: int, start: int, stop: int, most: int, "
                     "overflow: collections.abc.Callable[[numpy.typing.NDArray[numpy.uint8]], object]) -> "
                     "tuple[numpy.typing.NDArray[numpy.uint8], numpy.typing.NDArray[numpy.uint8], int, int]"),
             "Judge samples [start, stop) of `x`, (m,) or (m, channels) real, whose first sample is `x_start`.\n\n"
             "Returns the pieces of runs as bytes (headrace.signals.events.pieces.PIECE), channel by channel; a state for each channel; and\n"
             "sample and channel of a NaN if `nan` is raise and there is one, else -1 and -1. Of more than `most` pieces, `overflow` is\n"
             "called with the earlier ones, `most` at a time, as bytes that are valid during the call; what it raises is raised.\n"
             "Raises ValueError and TypeError.")
        .def(
            "workspace_bytes",
            [](const ThresholdRule& rule, nb::handle x_object, std::int64_t count, std::int64_t channels) {
                return find_beyond_workspace_bytes(rule, sample_type(readable(x_object, "x"), "x"), count, channels);
            },
            nb::arg("x"), nb::arg("count"), nb::arg("channels"),
            nb::sig("def workspace_bytes(self, x: numpy.typing.NDArray[typing.Any], count: int, channels: int) -> int"),
            "Bytes that `find` allocates at most, beside what it returns, for (count, channels) samples of the dtype of `x`.");
}

}  // namespace headrace::bindings
