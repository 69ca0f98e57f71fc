// From columns in memory to the structs of the Arrow C interfaces; nothing is copied but names.
#pragma once
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "headrace/arrow_abi.hpp"

namespace headrace::arrow {

// A column's name and type. `format` is the standard's: "+s" struct, "+w:N" list of N, "b" bits, "u" text, "z" bytes, one letter for
// each number. Nothing is nullable.
struct Field {
    std::string name;
    std::string format;
    std::vector<std::pair<std::string, std::string>> metadata;
    std::vector<Field> children;
};

struct Buffer {
    const void* data;
    std::int64_t nbytes;
};

// The values of a field: buffers without the validity bitmap, which none has.
struct Column {
    std::int64_t length;
    std::vector<Buffer> buffers;
    std::vector<Column> children;
};

// What keeps the buffers of a batch alive. Every array of the batch holds a share, the last may be dropped in any thread.
using Owner = std::shared_ptr<const void>;

// Why a stream cannot go on: the code is an errno, as the standard wants it; `again` if the next call may succeed.
struct Failure : std::runtime_error {
    Failure(int error_code, const std::string& message, bool retriable)
        : std::runtime_error(message), code(error_code), again(retriable) {}
    int code;
    bool again;
};

// Where a stream's batches come from. Called and destroyed from any thread, one call at a time.
class Batches {
public:
    virtual ~Batches() = default;
    // The next batch; false at the end. Throws Failure.
    virtual bool next(Column& column, Owner& owner) = 0;
};

// std::invalid_argument if a format is unknown or has the wrong number of children.
void check_field(const Field& field);

// Fills `out`, whose release callback frees everything.
void export_schema(const Field& field, ArrowSchema& out);

// std::invalid_argument unless the buffers hold what the field and the lengths say; `out` is then untouched.
void export_array(const Field& field, const Column& column, const Owner& owner, ArrowArray& out);

// Takes `batches` over; they are destroyed when the stream is released. After a failure that
// is final every further call fails alike.
void export_stream(Field field, std::unique_ptr<Batches> batches, ArrowArrayStream& out);

}  // namespace headrace::arrow
