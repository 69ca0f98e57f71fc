// What a consumer may do with exported structs: keep, move, release in any order, not at all.
#include <cerrno>
#include <thread>

#include "check.hpp"
#include "headrace/arrow_export.hpp"

using namespace headrace::arrow;

namespace {

const Field SAMPLES{"", "+s", {{"fs", "1000.0"}}, {{"samples", "+w:3", {}, {{"item", "f", {}, {}}}}, {"name", "u", {}, {}}}};

struct Rows {
    check::Buffer<float> values{6};
    check::Buffer<std::int32_t> offsets{3};
    check::Buffer<char> text{5};
    Rows() {
        for (int i = 0; i < 6; ++i) values[i] = static_cast<float>(i);
        offsets[0] = 0, offsets[1] = 2, offsets[2] = 5;
        std::memcpy(text.data.get(), "abcde", 5);
    }
    Column column() const {
        const Column items{6, {{values.data.get(), 24}}, {}}, names{2, {{offsets.data.get(), 12}, {text.data.get(), 5}}, {}};
        return {2, {}, {{2, {}, {items}}, names}};
    }
};

void arrays_keep_their_owner_until_the_last_of_them_is_released() {
    auto rows = std::make_shared<Rows>();
    const std::weak_ptr<Rows> watch = rows;
    ArrowArray batch{};
    export_array(SAMPLES, rows->column(), rows, batch);
    rows.reset();
    CHECK(batch.length == 2 && batch.n_children == 2 && batch.n_buffers == 1, "struct");
    ArrowArray moved = *batch.children[0]->children[0];  // as a consumer moves a child out
    batch.children[0]->children[0]->release = nullptr;
    batch.release(&batch);
    CHECK(batch.release == nullptr && !watch.expired(), "the moved child keeps the buffers");
    CHECK(static_cast<const float*>(moved.buffers[1])[5] == 5.0f, "values are still there");
    std::thread([&] { moved.release(&moved); }).join();
    CHECK(watch.expired(), "released in another thread");
}

void columns_that_lie_are_refused() {
    const Rows rows;
    const auto refused = [](const Field& field, const Column& column) {
        ArrowArray out{};
        return check::throws<std::invalid_argument>([&] { export_array(field, column, nullptr, out); }) && out.release == nullptr;
    };
    Column column = rows.column();
    column.children[0].children[0].buffers[0].nbytes = 23;
    CHECK(refused(SAMPLES, column), "a byte short");
    column = rows.column();
    column.children[0].children[0].length = 5;
    CHECK(refused(SAMPLES, column), "no whole number of lists");
    column = rows.column();
    column.children[1].buffers[1].nbytes = 4;
    CHECK(refused(SAMPLES, column), "text short of its offsets");
    column = rows.column();
    column.children[1].buffers[0].nbytes = 8;
    CHECK(refused(SAMPLES, column), "an offset short");
    column = rows.column();
    column.children.pop_back();
    CHECK(refused(SAMPLES, column), "a child short");
    column = rows.column();
    column.length = 3;
    CHECK(refused(SAMPLES, column), "children shorter than their parent");
    CHECK(refused({"x", "b", {}, {}}, {9, {{rows.text.data.get(), 1}}, {}}), "nine bits in a byte");
    for (const char* format : {"", "Q", "+w:", "+w:-1", "+w:3x", "+l", "vu"})
        CHECK(check::throws<std::invalid_argument>([&] { check_field({"x", format, {}, {{"item", "f", {}, {}}}}); }), format);
}

struct Script final : Batches {
    Script(int count, int end, bool again, std::shared_ptr<Rows> from) : batches(count), code(end), retriable(again), rows(std::move(from)) {}
    bool next(Column& column, Owner& owner) override {
        if (batches-- > 0) {
            column = rows->column();
            owner = rows;
            return true;
        }
        if (code == 0 && batches < -1) throw Failure(EIO, "asked after its end", false);
        if (code != 0 && batches == -1) throw Failure(code, "the tape is torn", retriable);
        return false;
    }
    int batches, code;
    bool retriable;
    std::shared_ptr<Rows> rows;
};

void a_batch_outlives_its_stream() {
    auto rows = std::make_shared<Rows>();
    const std::weak_ptr<Rows> watch = rows;
    ArrowArrayStream stream{};
    export_stream(SAMPLES, std::make_unique<Script>(2, 0, false, std::move(rows)), stream);
    ArrowSchema schema{};
    ArrowArray first{}, second{}, third{};
    CHECK(stream.get_schema(&stream, &schema) == 0, "schema");
    CHECK(stream.get_next(&stream, &first) == 0 && stream.get_next(&stream, &second) == 0, "two batches");
    CHECK(stream.get_next(&stream, &third) == 0 && third.release == nullptr, "the end");
    CHECK(stream.get_next(&stream, &third) == 0 && third.release == nullptr, "the end, again");
    stream.release(&stream);
    first.release(&first);
    CHECK(!watch.expired() && static_cast<const char*>(second.children[1]->buffers[2])[4] == 'e', "kept");
    second.release(&second);
    CHECK(watch.expired(), "let go");
    CHECK(std::string(schema.children[0]->format) == "+w:3" && std::string(schema.children[0]->children[0]->name) == "item", "names");
    CHECK(std::memcmp(schema.metadata, "\1\0\0\0\2\0\0\0fs\6\0\0\0001000.0", 20) == 0, "metadata");
    schema.release(&schema);
}

void a_failure_is_told_and_stays_unless_it_may_pass() {
    for (const bool again : {false, true}) {
        ArrowArrayStream stream{};
        export_stream(SAMPLES, std::make_unique<Script>(1, EIO, again, std::make_shared<Rows>()), stream);
        ArrowArray batch{}, after{};
        CHECK(stream.get_last_error(&stream) == nullptr, "nothing has failed");
        CHECK(stream.get_next(&stream, &batch) == 0, "one batch");
        batch.release(&batch);
        CHECK(stream.get_next(&stream, &after) == EIO && std::string(stream.get_last_error(&stream)) == "the tape is torn", "failure");
        CHECK(stream.get_next(&stream, &after) == (again ? 0 : EIO), "after it");
        stream.release(&stream);
    }
}

void a_stream_may_be_released_untouched() {
    auto rows = std::make_shared<Rows>();
    ArrowArrayStream stream{};
    export_stream(SAMPLES, std::make_unique<Script>(2, 0, false, rows), stream);
    stream.release(&stream);
    CHECK(rows.use_count() == 1 && stream.release == nullptr, "nothing is kept");
}

}  // namespace

int main() {
    arrays_keep_their_owner_until_the_last_of_them_is_released();
    columns_that_lie_are_refused();
    a_batch_outlives_its_stream();
    a_failure_is_told_and_stays_unless_it_may_pass();
    a_stream_may_be_released_untouched();
    return check::report();
}
