#include "arrays.hpp"
#include "headrace/convert.hpp"

namespace headrace::bindings {

namespace {

void bind_affine(nb::handle src_object, nb::handle out_object, nb::handle scale_object, nb::handle offset_object) {
    const Readable src = readable(src_object, "src"), scale = readable(scale_object, "scale"), offset = readable(offset_object, "offset");
    const Writable out = writable(out_object, "out");
    const SampleType src_type = sample_type(src, "src"), out_type = sample_type(out, "out");
    if (out_type < SampleType::f32) throw nb::type_error("out must be float32, float64, complex64 or complex128");
    const Extent size = extent(src, "src");
    same_shape(src, "src", out, "out");
    const std::span<const double> scales = doubles(scale, "scale"), offsets = doubles(offset, "offset");
    const nb::gil_scoped_release released;
    affine(src.data(), src_type, out.data(), out_type, size.count * size.channels, size.channels, scales, offsets);
}

std::int64_t bind_quantize(nb::handle src_object, nb::handle out_object) {
    const Readable src = readable(src_object, "src");
    const Writable out = writable(out_object, "out");
    const SampleType src_type = sample_type(src, "src"), out_type = sample_type(out, "out");
    if (is_complex(src_type)) throw nb::type_error("src must be real");
    if (out_type >= SampleType::f32) throw nb::type_error("out must be of an integer dtype");
    same_shape(src, "src", out, "out");
    const nb::gil_scoped_release released;
    return quantize(src.data(), src_type, out.data(), out_type, static_cast<std::int64_t>(src.size()));
}

void bind_unpack_int24(nb::handle src_object, nb::handle out_object, bool big_endian) {
    const Readable src = readable(src_object, "src");
    const Writable out = writable(out_object, "out");
    if (sample_type(src, "src") != SampleType::u8 || src.ndim() != 1) throw nb::type_error("src must be uint8 with one dimension");
    if (sample_type(out, "out") != SampleType::i32 || out.ndim() != 1) throw nb::type_error("out must be int32 with one dimension");
    if (src.size() != 3 * out.size()) {
        const std::string message = "src has " + std::to_string(src.size()) + " bytes, but " + std::to_string(out.size()) +
                                    " samples of 24 bits need " + std::to_string(3 * out.size());
        throw nb::value_error(message.c_str());
    }
    const nb::gil_scoped_release released;
    unpack_int24(static_cast<const std::uint8_t*>(src.data()), static_cast<std::int32_t*>(out.data()),
                 static_cast<std::int64_t>(out.size()), big_endian);
}

}  // namespace

void bind_convert(nb::module_& m) {
    m.def("affine", &bind_affine, nb::arg("src"), nb::arg("out"), nb::arg("scale"), nb::arg("offset"),
          nb::sig("def affine(src: numpy.typing.NDArray[typing.Any], out: numpy.typing.NDArray[typing.Any], "
                  "scale: numpy.typing.NDArray[numpy.float64], offset: numpy.typing.NDArray[numpy.float64]) -> None"),
          "Write out = src * scale + offset, computed in float64 (multiply, then add) and rounded once to `out`.\n\n"
          "`src` is (n,) or (n, channels) of any numeric dtype, `out` of the same shape float32 or float64; complex if `src` is, and then\n"
          "the offset is added to the real part. `scale` and `offset` are (1,) or (channels,). Raises ValueError and TypeError.");
    m.def("quantize", &bind_quantize, nb::arg("src"), nb::arg("out"),
          nb::sig("def quantize(src: numpy.typing.NDArray[typing.Any], out: numpy.typing.NDArray[typing.Any]) -> int"),
          "Round `src` half to even into the integer array `out` of the same shape; return how many elements did not fit.\n\n"
          "Values beyond the range of `out` are saturated, NaN becomes 0; both are counted. Raises ValueError and TypeError.");
    m.def("unpack_int24", &bind_unpack_int24, nb::arg("src"), nb::arg("out"), nb::arg("big_endian"),
          nb::sig("def unpack_int24(src: numpy.typing.NDArray[numpy.uint8], out: numpy.typing.NDArray[numpy.int32], "
                  "big_endian: bool) -> None"),
          "Unpack 24-bit integers, (3 * m,) uint8, into `out`, (m,) int32. Raises ValueError and TypeError.");
}

}  // namespace headrace::bindings
