#include "arrays.hpp"
#include "headrace/row_io.hpp"

namespace headrace::bindings {

namespace {

template <class Array>
FileRows rows_of(const Array& array, int fd, std::int64_t offset, std::int64_t stride) {
    sample_type(array, "rows");
    if (array.ndim() < 1) throw nb::value_error("rows must have at least one dimension");
    const auto count = static_cast<std::int64_t>(array.shape(0)), bytes = static_cast<std::int64_t>(array.nbytes());
    return {fd, offset, stride, count, count == 0 ? 0 : bytes / count};
}

int bind_read(int fd, std::int64_t offset, std::int64_t stride, nb::handle object) {
    const Writable into = writable(object, "rows");
    const FileRows rows = rows_of(into, fd, offset, stride);
    const nb::gil_scoped_release released;
    return read_rows(rows, into.data());
}

int bind_write(int fd, std::int64_t offset, std::int64_t stride, nb::handle object) {
    const Readable from = readable(object, "rows");
    const FileRows rows = rows_of(from, fd, offset, stride);
    const nb::gil_scoped_release released;
    return write_rows(rows, from.data());
}

}  // namespace

void bind_row_io(nb::module_& m) {
    m.def("read_rows", &bind_read, nb::arg("fd"), nb::arg("offset"), nb::arg("stride"), nb::arg("rows"),
          nb::sig("def read_rows(fd: int, offset: int, stride: int, rows: numpy.typing.NDArray[typing.Any]) -> int"),
          "Fill rows[i], C-contiguous, from byte `offset` + i * `stride` of a file.\n\n"
          "Returns 0, or the errno of the call that failed, or -1 where the file ended. Raises ValueError and TypeError.");
    m.def("write_rows", &bind_write, nb::arg("fd"), nb::arg("offset"), nb::arg("stride"), nb::arg("rows"),
          nb::sig("def write_rows(fd: int, offset: int, stride: int, rows: numpy.typing.NDArray[typing.Any]) -> int"),
          "Write rows[i], C-contiguous, to byte `offset` + i * `stride` of a file; see `read_rows`.");
}

}  // namespace headrace::bindings
