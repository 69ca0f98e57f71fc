// Rows that lie some way apart in a file, read or written by one call; what must come from a disk is asked for ahead.
#pragma once
#include <cstdint>

namespace headrace {

// `count` rows of `row_bytes`, contiguous in memory and `stride` bytes apart in the file, the first at byte `offset`.
struct FileRows {
    int fd = -1;
    std::int64_t offset = 0;
    std::int64_t stride = 0;
    std::int64_t count = 0;
    std::int64_t row_bytes = 0;
};

// 0 when all was read or written; else errno, or -1 where the file ended. Throws std::invalid_argument for places that no file has.
int read_rows(const FileRows& rows, void* into);
int write_rows(const FileRows& rows, const void* from);

}  // namespace headrace
