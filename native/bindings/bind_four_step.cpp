#include <nanobind/stl/optional.h>

#include <optional>

#include "arrays.hpp"
#include "headrace/four_step.hpp"

namespace headrace::bindings {

namespace {

template <class Array>
void dimensions(const Array& array, std::size_t count, const char* what) {
    if (array.ndim() == count) return;
    const std::string message = std::string(what) + " must have " + std::to_string(count) + " dimensions, not " + std::to_string(array.ndim());
    throw nb::value_error(message.c_str());
}

template <class Array>
std::int64_t length(const Array& array, std::size_t axis) {
    return static_cast<std::int64_t>(array.shape(axis));
}

void bind_twiddle(nb::handle x_object, std::int64_t column, const Roots& roots, bool inverse, nb::handle out_object) {
    const Readable x = readable(x_object, "x");
    const Writable out = writable(out_object, "out");
    const SampleType type = sample_type(x, "x");
    if (sample_type(out, "out") != type) throw nb::type_error("x and out must have the same dtype");
    dimensions(x, 2, "x");
    dimensions(out, 3, "out");
    const Tiles tiles{x.data(), out.data(), type, length(x, 0), length(x, 1), column, length(out, 2)};
    const std::int64_t groups = tiles.side < 1 ? -1 : (tiles.rows + tiles.side - 1) / tiles.side;
    if (length(out, 0) != groups || length(out, 1) != tiles.columns)
        throw nb::value_error("out must have shape (ceil(rows / side), columns, side)");
    const nb::gil_scoped_release released;
    twiddle_tiles(tiles, roots, inverse);
}

void bind_rows_of_tiles(nb::handle tiles_object, nb::handle out_object, std::int64_t kept, nb::handle mirror_object) {
    const Readable tiles = readable(tiles_object, "tiles");
    const Writable out = writable(out_object, "out");
    const SampleType type = sample_type(tiles, "tiles");
    std::optional<Readable> mirror;
    if (!mirror_object.is_none()) mirror = readable(mirror_object, "mirror");
    if (sample_type(out, "out") != type || (mirror && sample_type(*mirror, "mirror") != type))
        throw nb::type_error("tiles, mirror and out must have the same dtype");
    dimensions(tiles, 3, "tiles");
    dimensions(out, 2, "out");
    const Rows rows{tiles.data(), mirror ? mirror->data() : nullptr, out.data(), type, length(out, 0), length(out, 1), kept, length(tiles, 2)};
    bool fits = rows.side > 0 && length(tiles, 1) == rows.rows && length(tiles, 0) == (kept + rows.side - 1) / rows.side;
    if (mirror) {
        dimensions(*mirror, 3, "mirror");
        for (std::size_t axis = 0; axis < 3; ++axis) fits = fits && mirror->shape(axis) == tiles.shape(axis);
    }
    if (!fits) throw nb::value_error("tiles and mirror must have shape (ceil(kept / side), rows, side)");
    const nb::gil_scoped_release released;
    rows_of_tiles(rows);
}

void bind_chirp(nb::handle x_object, nb::handle out_object, std::int64_t start, std::int64_t apart, const Roots& roots, bool inverse,
                double scale) {
    const Writable out = writable(out_object, "out");
    dimensions(out, 2, "out");
    Chirp job;
    job.out = out.data();
    job.out_type = sample_type(out, "out");
    job.rows = length(out, 0);
    job.columns = length(out, 1);
    job.start = start;
    job.apart = apart;
    job.scale = scale;
    std::optional<Readable> x;
    if (!x_object.is_none()) {
        x = readable(x_object, "x");
        same_shape(*x, "x", out, "out");
        job.in = x->data();
        job.in_type = sample_type(*x, "x");
    }
    const nb::gil_scoped_release released;
    chirp(job, roots, inverse);
}

}  // namespace

void bind_four_step(nb::module_& m) {
    nb::class_<Roots>(m, "Roots", "Roots of unity of order n, exp(-2 pi i e / n), good to two roundings of float64, from two short tables. Immutable.")
        .def(nb::init<std::int64_t>(), nb::arg("order"), "Evaluate the tables. Raises ValueError unless 1 <= order <= 2^50.")
        .def_prop_ro("order", &Roots::order, "n.")
        .def_prop_ro("nbytes", &Roots::bytes, "Bytes of the tables.");
    m.def("twiddle_tiles", &bind_twiddle, nb::arg("x"), nb::arg("column"), nb::arg("roots"), nb::arg("inverse"), nb::arg("out"),
          nb::sig("def twiddle_tiles(x: numpy.typing.NDArray[typing.Any], column: int, roots: Roots, inverse: bool, "
                  "out: numpy.typing.NDArray[typing.Any]) -> None"),
          "Write out[k // side, i, k % side] = x[k, i] * w**(k * (column + i)), w = exp(-2 pi i / n), or its conjugate if `inverse`.\n\n"
          "`x` is (rows, columns), `out` (ceil(rows / side), columns, side), both complex64 or complex128; `column` is a multiple of 16.\n"
          "Places of `out` that belong to no row are zero. In float64, rounded once. Raises ValueError and TypeError.");
    m.def("rows_of_tiles", &bind_rows_of_tiles, nb::arg("tiles"), nb::arg("out"), nb::arg("kept"), nb::arg("mirror").none(),
          nb::sig("def rows_of_tiles(tiles: numpy.typing.NDArray[typing.Any], out: numpy.typing.NDArray[typing.Any], kept: int, "
                  "mirror: numpy.typing.NDArray[typing.Any] | None) -> None"),
          "Write out[r, k] = tiles[k // side, r, k % side] for k < kept, and from there on, with `mirror`, the conjugate of\n"
          "mirror[j // side, rows - 1 - r, j % side] for j = width - k.\n\n"
          "`tiles` and `mirror` are (ceil(kept / side), rows, side), `out` (rows, width); float32 to complex128. Raises ValueError and TypeError.");
    m.def("chirp", &bind_chirp, nb::arg("x").none(), nb::arg("out"), nb::arg("start"), nb::arg("apart"), nb::arg("roots"), nb::arg("inverse"),
          nb::arg("scale") = 1.0,
          nb::sig("def chirp(x: numpy.typing.NDArray[typing.Any] | None, out: numpy.typing.NDArray[typing.Any], start: int, apart: int, "
                  "roots: Roots, inverse: bool, scale: float = 1.0) -> None"),
          "Write out[r, i] = scale * x[r, i] * exp(-pi i j**2 / n), j = start + r * apart + i, or by the conjugate if `inverse`.\n\n"
          "Zero where abs(j) >= n; `roots` is of order 2 n; without `x` it is 1. A real `out` takes the real part. In float64, rounded once.\n"
          "Raises ValueError and TypeError.");
}

}  // namespace headrace::bindings
