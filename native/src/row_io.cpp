#include "headrace/row_io.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <sys/uio.h>
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
            const std::int64_t place = rows.offset + row * rows.stride + done;
            const ssize_t moved = call(row, bytes + done, static_cast<std::size_t>(rows.row_bytes - done), place);
            if (moved == 0) return -1;
            if (moved < 0 && errno != EINTR) return errno;
            if (moved > 0) done += moved;
        }
    }
    return 0;
}

// Has the kernel fetch rows ahead of time where they are not in memory: one at a time a disk takes several times as long.
class Fetcher {
public:
    explicit Fetcher(const FileRows& rows) : rows_(rows) {}

    ssize_t read(std::int64_t row, char* into, std::size_t count, std::int64_t place) {
#ifdef __linux__
        if (hints_) {
            const iovec piece{into, count};
            const ssize_t moved = ::preadv2(rows_.fd, &piece, 1, place, RWF_NOWAIT);
            if (moved >= 0) return moved;
            if (errno == EAGAIN) fetch_from(row);
            else hints_ = errno == EINTR;
        }
#endif
        return ::pread(rows_.fd, into, count, place);
    }

private:
    static constexpr std::int64_t ahead = 512, soon = 64;

    void fetch_from(std::int64_t row) {
        if (row + soon <= fetched_) return;
        const std::int64_t stop = std::min(rows_.count, row + ahead);
#ifdef __linux__
        for (std::int64_t next = std::max(fetched_, row); next < stop; ++next)
            ::posix_fadvise(rows_.fd, rows_.offset + next * rows_.stride, rows_.row_bytes, POSIX_FADV_WILLNEED);
#endif
        fetched_ = stop;
    }

    const FileRows& rows_;
    std::int64_t fetched_ = 0;  // rows below have been asked for
    bool hints_ = true;         // whether the file system can say that it would have to wait
};

}  // namespace

int read_rows(const FileRows& rows, void* into) {
    Fetcher fetcher(rows);
    return each_row(rows, static_cast<char*>(into),
                    [&](std::int64_t row, char* bytes, std::size_t count, std::int64_t place) { return fetcher.read(row, bytes, count, place); });
}

int write_rows(const FileRows& rows, const void* from) {
    return each_row(rows, static_cast<const char*>(from), [&](std::int64_t, const char* bytes, std::size_t count, std::int64_t place) {
        return ::pwrite(rows.fd, bytes, count, place);
    });
}

}  // namespace headrace
