#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <cerrno>
#include <vector>

#include "headrace/arrow_export.hpp"

namespace headrace::bindings {

namespace nb = nanobind;

namespace {

// What a batch borrows from Python: buffers, which keep their arrays alive. Dropped in whatever thread the consumer likes.
class Borrowed {
public:
    Borrowed() = default;
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    ~Borrowed() {
        if (views_.empty() || !nb::is_alive()) return;  // at the end of the interpreter there is nobody to give back to
        const nb::gil_scoped_acquire held;
        const nb::error_scope pending;  // a consumer may let go while it raises
        for (const auto& view : views_) PyBuffer_Release(view.get());
    }
    arrow::Buffer add(nb::handle object) {
        auto view = std::make_unique<Py_buffer>();
        if (PyObject_GetBuffer(object.ptr(), view.get(), PyBUF_SIMPLE) != 0) throw nb::python_error();
        views_.push_back(std::move(view));
        return {views_.back()->buf, static_cast<std::int64_t>(views_.back()->len)};
    }

private:
    std::vector<std::unique_ptr<Py_buffer>> views_;
};

// (name, format, {key: value}, (child, ...))
arrow::Field read_field(nb::handle object) {
    const auto words = nb::cast<nb::tuple>(object);
    if (words.size() != 4) throw nb::value_error("a field is (name, format, metadata, children)");
    arrow::Field field{nb::cast<std::string>(words[0]), nb::cast<std::string>(words[1]), {}, {}};
    for (const auto& [key, value] : nb::cast<nb::dict>(words[2]))
        field.metadata.emplace_back(nb::cast<std::string>(key), nb::cast<std::string>(value));
    for (const nb::handle child : nb::cast<nb::tuple>(words[3])) field.children.push_back(read_field(child));
    return field;
}

// (length, (buffer, ...), (child, ...))
arrow::Column read_column(nb::handle object, Borrowed& borrowed) {
    const auto words = nb::cast<nb::tuple>(object);
    if (words.size() != 3) throw nb::value_error("a column is (length, buffers, children)");
    arrow::Column column{nb::cast<std::int64_t>(words[0]), {}, {}};
    for (const nb::handle buffer : nb::cast<nb::tuple>(words[1])) column.buffers.push_back(borrowed.add(buffer));
    for (const nb::handle child : nb::cast<nb::tuple>(words[2])) column.children.push_back(read_column(child, borrowed));
    return column;
}

// The errno by which consumers choose the kind of error that they raise.
int code_of(const nb::python_error& error) {
    if (error.matches(PyExc_MemoryError)) return ENOMEM;
    if (error.matches(PyExc_ValueError) || error.matches(PyExc_TypeError)) return EINVAL;
    if (error.matches(PyExc_KeyboardInterrupt)) return ECANCELED;
    return EIO;
}

class PythonBatches final : public arrow::Batches {
public:
    PythonBatches(nb::object take, nb::object close) : take_(std::move(take)), close_(std::move(close)) {}

    ~PythonBatches() override {
        if (!nb::is_alive()) {
            take_.release();
            close_.release();
            return;
        }
        const nb::gil_scoped_acquire held;
        const nb::error_scope pending;
        try {
            close_();
        } catch (nb::python_error& error) {
            error.discard_as_unraisable(close_);
        }
        take_.reset();
        close_.reset();
    }

    bool next(arrow::Column& column, arrow::Owner& owner) override {
        if (!nb::is_alive()) throw arrow::Failure(ECANCELED, "the Python interpreter has ended", false);
        const nb::gil_scoped_acquire held;
        try {
            const nb::object batch = take_();
            if (batch.is_none()) return false;
            auto borrowed = std::make_shared<Borrowed>();
            column = read_column(batch, *borrowed);
            owner = std::move(borrowed);
            return true;
        } catch (nb::python_error& error) {
            throw failure_of(error);
        } catch (const nb::cast_error&) {
            throw arrow::Failure(EINVAL, "a batch is (length, buffers, children), of integers, buffers and columns", false);
        }
    }

private:
    // Type, message and notes, as the end of a traceback has them. BufferError: buffers are all taken, until some come back.
    static arrow::Failure failure_of(const nb::python_error& error) {
        std::string text = nb::cast<std::string>(error.type().attr("__name__"));
        try {
            text += ": " + std::string(nb::str(error.value()).c_str());
            for (const nb::handle note : nb::getattr(error.value(), "__notes__", nb::tuple())) text += std::string("; ") + nb::str(note).c_str();
        } catch (nb::python_error&) {
            text += " (whose message cannot be made)";
        }
        if (error.matches(PyExc_KeyboardInterrupt)) PyErr_SetInterrupt();  // so that the consumer's error does not swallow Ctrl-C
        return {code_of(error), text, error.matches(PyExc_BufferError)};
    }

    nb::object take_, close_;
};

void free_stream(void* pointer) noexcept {
    auto* stream = static_cast<ArrowArrayStream*>(pointer);
    if (stream->release != nullptr) stream->release(stream);  // nobody took it
    delete stream;
}

void free_schema(void* pointer) noexcept {
    auto* schema = static_cast<ArrowSchema*>(pointer);
    if (schema->release != nullptr) schema->release(schema);
    delete schema;
}

nb::capsule make_stream(nb::handle field, nb::object take, nb::object close) {
    auto stream = std::make_unique<ArrowArrayStream>();
    arrow::export_stream(read_field(field), std::make_unique<PythonBatches>(std::move(take), std::move(close)), *stream);
    return {stream.release(), "arrow_array_stream", &free_stream};
}

nb::capsule make_schema(nb::handle field) {
    auto schema = std::make_unique<ArrowSchema>();
    const arrow::Field read = read_field(field);
    arrow::check_field(read);
    arrow::export_schema(read, *schema);
    return {schema.release(), "arrow_schema", &free_schema};
}

}  // namespace

void bind_arrow(nb::module_& m) {
    m.def("arrow_schema", &make_schema, nb::arg("field"),
          nb::sig("def arrow_schema(field: tuple[str, str, dict[str, str], tuple[typing.Any, ...]]) -> typing.Any"),
          "Wrap a field, (name, format, metadata, children), into a capsule \"arrow_schema\". Raises ValueError.");
    m.def("arrow_stream", &make_stream, nb::arg("field"), nb::arg("take"), nb::arg("close"),
          nb::sig("def arrow_stream(field: tuple[str, str, dict[str, str], tuple[typing.Any, ...]], "
                  "take: typing.Callable[[], tuple[int, tuple[typing.Any, ...], tuple[typing.Any, ...]] | None], "
                  "close: typing.Callable[[], None]) -> typing.Any"),
          "Wrap batches made by Python into a capsule \"arrow_array_stream\".\n\n"
          "`take` gives the next batch, (length, buffers, children) like the field, or None at the end. Buffers are contiguous and hold at\n"
          "least what the length says; they are not copied, and kept until the consumer releases the last array of the batch. An\n"
          "exception of `take` ends the stream and reaches the consumer with its type and message; after a BufferError the consumer may\n"
          "ask again. `close` is called once, when the stream is released. Both are called in the consumer's threads. Raises ValueError.");
}

}  // namespace headrace::bindings
