#include "headrace/arrow_export.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>

namespace headrace::arrow {

namespace {

// Bits in a value of a format of one letter; 0 for others.
int value_bits(const std::string& format) {
    if (format.size() != 1) return 0;
    switch (format[0]) {
        case 'b': return 1;
        case 'c': case 'C': return 8;
        case 's': case 'S': case 'e': return 16;
        case 'i': case 'I': case 'f': return 32;
        case 'l': case 'L': case 'g': return 64;
        default: return 0;
    }
}

bool is_text(const std::string& format) { return format == "u" || format == "z"; }
bool is_list(const std::string& format) { return format.compare(0, 3, "+w:") == 0; }

std::int64_t list_size(const std::string& format) {
    std::int64_t size = -1;
    const char *first = format.data() + 3, *last = format.data() + format.size();
    const auto [end, error] = std::from_chars(first, last, size);
    return error == std::errc() && end == last ? size : -1;
}

[[noreturn]] void refuse(const Field& field, const std::string& what) {
    throw std::invalid_argument("column '" + field.name + "' of format '" + field.format + "' " + what);
}

void check_offsets(const Field& field, const Column& column) {
    const auto* offsets = static_cast<const std::int32_t*>(column.buffers[0].data);
    bool rising = offsets[0] == 0;
    for (std::int64_t i = 0; i < column.length; ++i) rising &= offsets[i] <= offsets[i + 1];
    if (!rising || offsets[column.length] > column.buffers[1].nbytes) refuse(field, "has offsets that leave its text");
}

void check_column(const Field& field, const Column& column) {
    if (column.length < 0) refuse(field, "has a negative length");
    if (column.children.size() != field.children.size()) refuse(field, "has another number of children than its field");
    const std::size_t expected = field.format[0] == '+' ? 0 : is_text(field.format) ? 2 : 1;
    if (column.buffers.size() != expected) refuse(field, "has another number of buffers than its format");
    if (is_text(field.format)) {
        if (column.buffers[0].nbytes / 4 <= column.length) refuse(field, "has too few offsets");
        check_offsets(field, column);
    } else if (expected == 1) {
        const std::int64_t bits = value_bits(field.format), most = column.buffers[0].nbytes;
        if (bits == 1 ? column.length > most * 8 : column.length > most / (bits / 8))
            refuse(field, "has a buffer of " + std::to_string(most) + " bytes, too short for " + std::to_string(column.length) + " values");
    }
    for (std::size_t i = 0; i < column.children.size(); ++i) {
        const std::int64_t size = is_list(field.format) ? list_size(field.format) : 1, length = column.children[i].length;
        if (size == 0 ? length != 0 : length % size != 0 || length / size != column.length)
            refuse(field, "has a child of another length than it says");
        check_column(field.children[i], column.children[i]);
    }
}

// Pairs as the standard packs them: counts and lengths as int32 in native byte order.
std::string packed(const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::string out;
    const auto number = [&out](std::size_t value) {
        const auto narrow = static_cast<std::int32_t>(value);
        out.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
    };
    number(pairs.size());
    for (const auto& [key, value] : pairs) {
        number(key.size());
        out += key;
        number(value.size());
        out += value;
    }
    return out;
}

// A consumer may move a child out and release it on its own, so each node owns what is its own, and the structs of its children.
struct SchemaNode {
    std::string name, format, metadata;
    std::vector<ArrowSchema> children;
    std::vector<ArrowSchema*> pointers;
};

struct ArrayNode {
    Owner owner;
    std::vector<const void*> buffers;
    std::vector<ArrowArray> children;
    std::vector<ArrowArray*> pointers;
};

template <class Node, class Struct>
void release(Struct* self) {
    auto* node = static_cast<Node*>(self->private_data);
    for (Struct& child : node->children)
        if (child.release != nullptr) child.release(&child);
    self->release = nullptr;
    self->private_data = nullptr;
    delete node;
}

template <class Node>
void point_at_children(Node& node) {
    for (auto& child : node.children) node.pointers.push_back(&child);
}

void fill_array(const Field& field, const Column& column, const Owner& owner, ArrowArray& out) {
    auto node = std::make_unique<ArrayNode>();
    node->owner = owner;
    node->buffers.push_back(nullptr);  // no validity bitmap: nothing is null
    for (const Buffer& buffer : column.buffers) node->buffers.push_back(buffer.data);
    node->children.resize(column.children.size());
    out = {column.length, 0, 0, static_cast<std::int64_t>(node->buffers.size()), static_cast<std::int64_t>(node->children.size()),
           node->buffers.data(), nullptr, nullptr, &release<ArrayNode, ArrowArray>, node.get()};
    ArrayNode& own = *node.release();  // from here on `out` frees it
    for (std::size_t i = 0; i < own.children.size(); ++i) fill_array(field.children[i], column.children[i], owner, own.children[i]);
    point_at_children(own);
    out.children = own.pointers.data();
}

struct Stream {
    Field field;
    std::unique_ptr<Batches> batches;
    std::string error;
    int failed = 0;  // the code of a failure that is final
    bool ended = false;
};

Stream& stream_of(ArrowArrayStream* self) { return *static_cast<Stream*>(self->private_data); }

// No exception may cross into the consumer, which may be written in any language.
template <class Work>
int guarded(Stream& stream, Work&& work) noexcept {
    try {
        work();
        return 0;
    } catch (const Failure& failure) {
        stream.error = failure.what();
        if (!failure.again) stream.failed = failure.code;
        return failure.code;
    } catch (const std::bad_alloc&) {
        stream.error.clear();
        return stream.failed = ENOMEM;
    } catch (const std::exception& error) {
        stream.error = error.what();
        return stream.failed = EINVAL;
    }
}

int get_schema(ArrowArrayStream* self, ArrowSchema* out) {
    Stream& stream = stream_of(self);
    return guarded(stream, [&] { export_schema(stream.field, *out); });
}

int get_next(ArrowArrayStream* self, ArrowArray* out) {
    Stream& stream = stream_of(self);
    if (stream.failed != 0) return stream.failed;  // an end here would pass a torn stream off as a whole one
    return guarded(stream, [&] {
        out->release = nullptr;  // which is how the end is said
        Column column{};
        Owner owner;
        if (stream.ended) return;
        if (!stream.batches->next(column, owner)) {
            stream.ended = true;
            return;
        }
        export_array(stream.field, column, owner, *out);
    });
}

const char* get_last_error(ArrowArrayStream* self) {
    const Stream& stream = stream_of(self);
    return stream.error.empty() ? nullptr : stream.error.c_str();
}

void release_stream(ArrowArrayStream* self) {
    delete &stream_of(self);
    self->release = nullptr;
    self->private_data = nullptr;
}

}  // namespace

void check_field(const Field& field) {
    const bool leaf = value_bits(field.format) != 0 || is_text(field.format);
    if (leaf ? !field.children.empty() : is_list(field.format) ? field.children.size() != 1 : field.format != "+s")
        refuse(field, "is of no type that can be exported, or has the wrong number of children");
    if (is_list(field.format) && list_size(field.format) < 0) refuse(field, "is a list of no size");
    for (const Field& child : field.children) check_field(child);
}

void export_schema(const Field& field, ArrowSchema& out) {
    auto node = std::make_unique<SchemaNode>();
    node->name = field.name;
    node->format = field.format;
    if (!field.metadata.empty()) node->metadata = packed(field.metadata);
    node->children.resize(field.children.size());
    out = {node->format.c_str(), node->name.c_str(), field.metadata.empty() ? nullptr : node->metadata.data(), 0,
           static_cast<std::int64_t>(node->children.size()), nullptr, nullptr, &release<SchemaNode, ArrowSchema>, node.get()};
    SchemaNode& own = *node.release();
    for (std::size_t i = 0; i < own.children.size(); ++i) export_schema(field.children[i], own.children[i]);
    point_at_children(own);
    out.children = own.pointers.data();
}

void export_array(const Field& field, const Column& column, const Owner& owner, ArrowArray& out) {
    check_column(field, column);
    ArrowArray made{};
    try {
        fill_array(field, column, owner, made);
    } catch (...) {
        if (made.release != nullptr) made.release(&made);
        throw;
    }
    out = made;
}

void export_stream(Field field, std::unique_ptr<Batches> batches, ArrowArrayStream& out) {
    check_field(field);
    auto stream = std::make_unique<Stream>();
    stream->field = std::move(field);
    stream->batches = std::move(batches);
    out = {&get_schema, &get_next, &get_last_error, &release_stream, stream.release()};
}

}  // namespace headrace::arrow
