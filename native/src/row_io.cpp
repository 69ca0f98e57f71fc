#include "headrace/row_io.hpp"

#include <cerrno>
#include <stdexcept>
#include <unistd.h>

namespace headrace {

namespace {

void check(const FileRows& rows) {
    const auto last = static_cast<__int128>(rows.offset) + static_cast<__int128>(rows.stride) * (rows.count - 1);
    if (rows.offset < 0 || rows.stride < 0 || rows.count < 0 || rows.row_bytes < 0 || last + rows.row_bytes > INT64_MAX)
        throw std::invalid_argument("rows lie between byte 0 and 2^63 of a file");
}

template <class Byte, class Call>
int each_row(const FileRows& rows, Byte* bytes, Call call) {
    check(rows);
    for (std::int64_t row = 0; row < rows.count; ++row, bytes += rows.row_bytes) {
        std::int64_t done = 0;
        while (done < rows.row_bytes) {
            const ssize_t moved = call(rows.fd, bytes + done, static_cast<size_t>(rows.row_bytes - done), rows.offset + row * rows.stride + done);
            if (moved == 0) return -1;
            if (moved < 0 && errno != EINTR) return errno;
            if (moved > 0) done += moved;
        }
    }
    return 0;
}

}  // namespace

int read_rows(const FileRows& rows, void* into) { return each_row(rows, static_cast<char*>(into), ::pread); }
int write_rows(const FileRows& rows, const void* from) { return each_row(rows, static_cast<const char*>(from), ::pwrite); }

}  // namespace headrace
