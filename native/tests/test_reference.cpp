// Common references on every copy: against a sort of each row, over types, channel counts around the vector widths, groups, ties,
// infinities and NaN; and the same bytes from every copy.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "headrace/isa.hpp"
#include "headrace/kernels.hpp"
#include "headrace/reference.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

struct Layout {
    std::vector<std::int32_t> members, targets;
    std::int32_t groups = 1;
};

// Everything together; two groups in turn; three with channels that count nowhere, or keep what they are.
Layout layout_of(std::int64_t channels, int kind) {
    Layout layout;
    layout.groups = kind == 0 ? 1 : static_cast<std::int32_t>(std::min<std::int64_t>(channels, kind + 1));
    for (std::int64_t c = 0; c < channels; ++c) {
        const auto g = static_cast<std::int32_t>(c % layout.groups);
        layout.members.push_back(kind == 2 && c >= layout.groups && c % 7 == 3 ? -1 : g);
        layout.targets.push_back(kind == 2 && c >= layout.groups && c % 5 == 1 ? -1 : g);
    }
    return layout;
}

double expected_reference(std::vector<double> values, bool median) {
    const std::size_t m = values.size();
    for (const double v : values)
        if (std::isnan(v)) return v;
    if (!median) return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(m);
    std::sort(values.begin(), values.end());
    return m % 2 == 1 ? values[m / 2] : (values[m / 2 - 1] + values[m / 2]) / 2;
}

template <class D>
bool agrees(D found, double want, double scale, bool exact) {
    if (std::isnan(want)) return std::isnan(found);
    if (exact || !std::isfinite(want)) return found == static_cast<D>(want);
    return std::abs(static_cast<double>(found) - want) <= scale * (sizeof(D) == 4 ? 1e-6 : 1e-13);
}

template <class S>
void fill(Buffer<S>& x, std::int64_t channels, int kind) {
    check::Random random(static_cast<std::uint64_t>(x.size + kind));
    for (std::int64_t i = 0; i < x.size; ++i) {
        const std::int64_t row = i / channels;
        if constexpr (std::is_integral_v<S>)
            x[i] = row % 3 == 0 ? static_cast<S>(random.bits() % 5) : random.value<S>();  // many ties, or the whole range
        else
            x[i] = row % 4 == 0   ? static_cast<S>(std::trunc(random.unit() * 3))
                   : row % 4 == 1 ? static_cast<S>(std::exp(60 * random.unit()) * (random.bits() % 2 ? 1 : -1))
                                  : random.value<S>();
        if constexpr (!std::is_integral_v<S>) {
            const double die = random.unit();
            if (kind == 1 && die > 0.7) x[i] = std::numeric_limits<S>::infinity();
            if (kind == 1 && die < -0.7) x[i] = -std::numeric_limits<S>::infinity();
            if (kind == 2 && die > 0.99) x[i] = std::numeric_limits<S>::quiet_NaN();
        }
    }
}

template <class S, class D>
void reference_case(SampleType s, SampleType d, std::int64_t rows, std::int64_t channels, int kind, bool median) {
    const Layout layout = layout_of(channels, kind);
    Buffer<S> src(rows * channels);
    Buffer<D> dst(rows * channels);
    fill(src, channels, kind);
    subtract_reference(src.data.get(), s, dst.data.get(), d, rows, channels, layout.members, layout.targets, median);
    const std::string where = std::to_string(static_cast<int>(s)) + " rows " + std::to_string(rows) + " channels " +
                              std::to_string(channels) + " kind " + std::to_string(kind) + (median ? " median" : " mean");
    for (std::int64_t r = 0; r < rows; ++r) {
        double largest = 0;
        std::vector<std::vector<double>> groups(static_cast<std::size_t>(layout.groups));
        for (std::int64_t c = 0; c < channels; ++c) {
            const double x = static_cast<double>(src[r * channels + c]);
            if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
            const std::int32_t g = layout.members[static_cast<std::size_t>(c)];
            if (g >= 0) groups[static_cast<std::size_t>(g)].push_back(x);
        }
        for (std::int64_t c = 0; c < channels; ++c) {
            const std::int32_t g = layout.targets[static_cast<std::size_t>(c)];
            const double reference = g < 0 ? 0.0 : expected_reference(groups[static_cast<std::size_t>(g)], median);
            const double want = static_cast<double>(src[r * channels + c]) - reference;
            if (!agrees(dst[r * channels + c], want, largest, median)) return CHECK(false, where);
        }
    }
}

template <class S>
void all_shapes(SampleType s) {
    for (const std::int64_t channels : {1, 2, 3, 4, 7, 8, 15, 16, 33, 100})
        for (const std::int64_t rows : {1, 5, 32, 41})
            for (const int kind : {0, 1, 2})
                for (const bool median : {true, false}) {
                    reference_case<S, float>(s, SampleType::f32, rows, channels, kind, median);
                    reference_case<S, double>(s, SampleType::f64, rows, channels, kind, median);
                }
}

// One job through a table of its own.
template <class S>
void same_from_wide(SampleType s) {
    for (const std::int64_t channels : {1, 6, 65})
        for (const bool median : {true, false}) {
            const std::int64_t rows = 77;
            Buffer<S> src(rows * channels);
            Buffer<float> a(rows * channels), b(rows * channels);
            fill(src, channels, 0);
            std::vector<std::int32_t> slot(static_cast<std::size_t>(channels)), target(static_cast<std::size_t>(channels), 0);
            std::iota(slot.begin(), slot.end(), 0);
            const std::int64_t start[] = {0, channels};
            std::vector<std::int64_t> memory(static_cast<std::size_t>(8 * channels + 80 + 2 * channels + 8));
            void* aligned = memory.data();
            std::size_t space = memory.size() * 8;
            std::align(64, 1, aligned, space);
            ReferenceJob job{src.data.get(), a.data.get(), s, SampleType::f32, rows, channels, 1, start, slot.data(), target.data(), median,
                             aligned};
            kernels().reference(job);
            job.dst = b.data.get();
            wide::table.reference(job);
            CHECK(a.same_bytes(b), "wide, type " + std::to_string(static_cast<int>(s)));
        }
}

void refused() {
    float x[4] = {}, y[4] = {};
    const auto run = [&](std::vector<std::int32_t> members, std::vector<std::int32_t> targets, SampleType in = SampleType::f32,
                         SampleType out = SampleType::f32) {
        return check::throws<std::invalid_argument>([&] { subtract_reference(x, in, y, out, 2, 2, members, targets, true); });
    };
    CHECK(run({0}, {0, 0}), "too few members");
    CHECK(run({0, 2}, {0, 0}), "group out of range");
    CHECK(run({0, -2}, {0, 0}), "negative group");
    CHECK(run({0, 0}, {0, 1}), "group without a member");
    CHECK(run({-1, -1}, {0, 0}), "no member at all");
    CHECK(run({0, 0}, {0, 0}, SampleType::c64), "complex");
    CHECK(run({0, 0}, {0, 0}, SampleType::f32, SampleType::i16), "integers out");
}

// Beyond what 16-bit counts hold.
void very_many_channels() {
    const std::int64_t channels = 40001;
    Buffer<std::int16_t> src(2 * channels);
    Buffer<float> dst(2 * channels);
    for (std::int64_t i = 0; i < src.size; ++i) src[i] = static_cast<std::int16_t>(i % channels - 20000);
    const std::vector<std::int32_t> all(static_cast<std::size_t>(channels), 0);
    subtract_reference(src.data.get(), SampleType::i16, dst.data.get(), SampleType::f32, 2, channels, all, all, true);
    for (std::int64_t i = 0; i < src.size; ++i)
        if (dst[i] != static_cast<float>(src[i])) return CHECK(false, "many channels");
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        all_shapes<std::int8_t>(SampleType::i8);
        all_shapes<std::uint8_t>(SampleType::u8);
        all_shapes<std::int16_t>(SampleType::i16);
        all_shapes<std::uint16_t>(SampleType::u16);
        all_shapes<std::int32_t>(SampleType::i32);
        all_shapes<std::uint32_t>(SampleType::u32);
        all_shapes<std::int64_t>(SampleType::i64);
        all_shapes<std::uint64_t>(SampleType::u64);
        all_shapes<float>(SampleType::f32);
        all_shapes<double>(SampleType::f64);
        same_from_wide<std::int16_t>(SampleType::i16);
        same_from_wide<std::int32_t>(SampleType::i32);
        same_from_wide<float>(SampleType::f32);
        same_from_wide<double>(SampleType::f64);
        very_many_channels();
    }
    refused();
    return check::report();
}
