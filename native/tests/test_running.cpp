// Statistics of windows, on every copy: against sorting each window, for every type, border and width, from any sample to any other.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "headrace/isa.hpp"
#include "headrace/running.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

// By steps, not by the formula of the kernel.
std::int64_t place(std::int64_t i, std::int64_t n, Border border) {
    while (i < 0 || i >= n) {
        if (border == Border::constant) return -1;
        if (border == Border::nearest || n == 1) return i < 0 ? 0 : n - 1;
        const std::int64_t same = border == Border::reflect ? 1 : 0;
        i = i < 0 ? -i - same : 2 * (n - 1) - i + same;
    }
    return i;
}

constexpr Border borders[] = {Border::reflect, Border::mirror, Border::nearest, Border::constant};

double middle(const std::vector<double>& sorted) {
    const std::size_t n = sorted.size();
    return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

template <class S>
Buffer<S> signal(std::int64_t n, std::int64_t channels) {
    Buffer<S> x(n * channels);
    check::Random random(static_cast<std::uint64_t>(n + channels));
    for (std::int64_t i = 0; i < x.size; ++i) {
        x[i] = random.value<S>();
        if (i % 3 == 0) x[i] = static_cast<S>(i % 4);  // ties
        if constexpr (!std::is_integral_v<S>)
            if (i % 97 == 50) x[i] = i % 2 == 0 ? std::numeric_limits<S>::quiet_NaN() : -std::numeric_limits<S>::quiet_NaN();
    }
    return x;
}

template <class S>
void check_case(SampleType type, std::int64_t n, std::int64_t channels, std::int64_t size, Border border, std::int64_t first, std::int64_t count) {
    const Buffer<S> x = signal<S>(n, channels);
    const RunningWindow window{size, n, border, 3};
    const std::int64_t reach = size / 2 + 1, from = size > n ? 0 : std::max<std::int64_t>(0, first - reach),
                       to = size > n ? n : std::min(n, first + count + reach);
    Buffer<S> held((to - from) * channels);
    std::copy(x.data.get() + from * channels, x.data.get() + to * channels, held.data.get());
    const ConstSamples in{held.data.get(), type, from, to - from, channels};
    Buffer<S> median(count * channels);
    running_median(window, in, {median.data.get(), type, first, count, channels});
    constexpr bool spreads = !(std::is_integral_v<S> && sizeof(S) == 8);
    Buffer<double> mad(spreads ? count * channels : 0), deviation(mad.size);
    if constexpr (spreads) {
        running_mad(window, in, {mad.data.get(), SampleType::f64, first, count, channels}, 2.0);
        running_std(window, in, {deviation.data.get(), SampleType::f64, first, count, channels});
    }
    for (std::int64_t t = 0; t < count; ++t)
        for (std::int64_t c = 0; c < channels; ++c) {
            const std::string where = "size " + std::to_string(size) + " border " + std::to_string(static_cast<int>(border)) + " sample " +
                                      std::to_string(first + t) + " of " + std::to_string(n) + ", channel " + std::to_string(c);
            std::vector<S> values;
            bool missing = false;
            for (std::int64_t i = first + t - size / 2; i < first + t - size / 2 + size; ++i) {
                const std::int64_t p = place(i, n, border);
                values.push_back(p < 0 ? static_cast<S>(3) : x[p * channels + c]);
                missing = missing || !(values.back() == values.back());
            }
            const std::int64_t at = t * channels + c;
            if (missing) {
                CHECK(!(median[at] == median[at]) && (!spreads || (std::isnan(mad[at]) && std::isnan(deviation[at]))), where);
                continue;
            }
            std::sort(values.begin(), values.end());
            if (!(median[at] == values[static_cast<std::size_t>(size / 2)])) return CHECK(false, "median, " + where);
            if (!spreads) continue;
            std::vector<double> sorted(values.begin(), values.end()), distances;
            const double center = middle(sorted);
            long double sum = 0, square = 0;
            for (const double v : sorted) {
                distances.push_back(std::fabs(v - center));
                sum += v;
            }
            std::sort(distances.begin(), distances.end());
            for (const double v : sorted) square += (v - sum / size) * (v - sum / size);
            if (mad[at] != middle(distances) / 2.0) return CHECK(false, "mad, " + where);
            const double want = static_cast<double>(std::sqrt(square / size));
            if (!(std::fabs(deviation[at] - want) <= 1e-14 * (want + std::fabs(static_cast<double>(sum / size)))))
                return CHECK(false, "std, " + where);
        }
}

template <class S>
void all_cases(SampleType type) {
    for (const Border border : borders)
        for (const std::int64_t size : {1, 2, 3, 12, 13, 24, 25, 40, 101})
            for (const std::int64_t channels : {1, 3, 9}) {
                check_case<S>(type, 1, channels, size, border, 0, 1);
                check_case<S>(type, 7, channels, size, border, 0, 7);
                check_case<S>(type, 130, channels, size, border, 0, 130);
                check_case<S>(type, 130, channels, size, border, 60, 3);
                check_case<S>(type, 130, channels, size, border, 90, 40);
            }
    check_case<S>(type, 2500, 1, 5, Border::reflect, 0, 2500);  // more than a tile, and stretches side by side
    check_case<S>(type, 2500, 1, 41, Border::mirror, 3, 2490);
}

// Keys that differ in their lowest bits only: neighbours must be exchanged so often that all is sorted anew.
void low_bits() {
    const std::int64_t n = 3000, size = 301;
    Buffer<double> x(n), out(n);
    check::Random random(5);
    for (std::int64_t i = 0; i < n; ++i) x[i] = 1.0 + static_cast<double>(random.bits() % 4096) * 0x1p-52;
    running_median({size, n, Border::nearest, 0}, {x.data.get(), SampleType::f64, 0, n, 1}, {out.data.get(), SampleType::f64, 0, n, 1});
    for (std::int64_t t = size; t < n - size; ++t) {
        std::vector<double> values(x.data.get() + t - size / 2, x.data.get() + t - size / 2 + size);
        std::sort(values.begin(), values.end());
        if (out[t] != values[static_cast<std::size_t>(size / 2)]) return CHECK(false, "sample " + std::to_string(t));
    }
}

// Two clusters between which the median jumps: the nearest half of the window changes over.
void jumps() {
    const std::int64_t n = 1200, size = 100;
    Buffer<float> x(n);
    Buffer<double> out(n);
    check::Random random(6);
    for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>((random.bits() % 2 == 0 ? 1000 : -1000) + random.unit());
    x[500] = std::numeric_limits<float>::infinity();
    running_mad({size, n, Border::nearest, 0}, {x.data.get(), SampleType::f32, 0, n, 1}, {out.data.get(), SampleType::f64, 0, n, 1}, 1);
    for (std::int64_t t = size; t < n - size; ++t) {
        std::vector<double> values(x.data.get() + t - size / 2, x.data.get() + t - size / 2 + size);
        std::sort(values.begin(), values.end());
        const double center = middle(values);
        for (double& v : values) v = std::fabs(v - center);
        std::sort(values.begin(), values.end());
        if (out[t] != middle(values)) return CHECK(false, "sample " + std::to_string(t));
    }
}

void same_from_wide() {
    for (const std::int64_t size : {1, 24, 25, 100})
        for (const std::int64_t channels : {1, 13}) {
            const std::int64_t n = 1500;
            const Buffer<float> x = signal<float>(n, channels);
            const std::int64_t bytes = std::max(running_ranks_workspace(SampleType::f32, size, channels), running_std_workspace(size));
            std::vector<double> memory(static_cast<std::size_t>(bytes / 8 + 8));
            void* aligned = memory.data();
            std::size_t space = memory.size() * 8;
            std::align(64, 1, aligned, space);
            Buffer<float> a(n * channels), b(n * channels);
            RunningJob job{{x.data.get(), SampleType::f32, 0, n, channels}, {a.data.get(), SampleType::f32, 0, n, channels}, size, n,
                           Border::reflect, nullptr, 1, aligned};
            for (const auto kernel : {&KernelTable::running_median, &KernelTable::running_mad, &KernelTable::running_std}) {
                job.out.data = a.data.get();
                (kernels().*kernel)(job);
                job.out.data = b.data.get();
                (wide::table.*kernel)(job);
                CHECK(a.same_bytes(b), "wide, size " + std::to_string(size));
            }
        }
}

void refused() {
    float x[8] = {}, y[8] = {};
    const RunningWindow window{5, 8, Border::reflect, 0};
    const ConstSamples in{x, SampleType::f32, 0, 8, 1};
    const Samples out{y, SampleType::f32, 0, 8, 1};
    const auto run = [](RunningWindow w, ConstSamples i, Samples o, double scale = 1) {
        return check::throws<std::invalid_argument>([&] { running_mad(w, i, o, scale); });
    };
    CHECK(!run(window, in, out), "accepted");
    CHECK(run({0, 8, Border::reflect, 0}, in, out), "size");
    CHECK(run({running_limit + 1, 8, Border::reflect, 0}, in, out), "size");
    CHECK(run({5, 7, Border::reflect, 0}, in, out), "n");
    CHECK(run({5, 9, Border::reflect, 0}, in, out), "samples are missing");
    CHECK(run({5, 100, Border::reflect, 0}, {x, SampleType::f32, 50, 8, 1}, {y, SampleType::f32, 51, 5, 1}), "samples are missing before");
    CHECK(run({6, 8, Border::mirror, 0}, {x, SampleType::f32, 0, 3, 1}, {y, SampleType::f32, 0, 1, 1}), "what a mirror shows");
    CHECK(run(window, {x, SampleType::c64, 0, 4, 1}, out), "complex");
    CHECK(run(window, {x, SampleType::i64, 0, 4, 1}, out), "64-bit integers");
    CHECK(run(window, in, {y, SampleType::i16, 0, 8, 1}), "integers out");
    CHECK(run(window, in, {y, SampleType::f32, 0, 4, 2}), "channels");
    CHECK(run(window, in, out, 0), "scale");
    CHECK(check::throws<std::invalid_argument>([&] { running_median(window, in, {y, SampleType::i32, 0, 8, 1}); }), "another type");
    CHECK(check::throws<std::invalid_argument>([&] {
              running_median({5, 8, Border::constant, 0.5}, {x, SampleType::i32, 0, 8, 1}, {y, SampleType::i32, 0, 8, 1});
          }), "no integer");
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        all_cases<std::int8_t>(SampleType::i8);
        all_cases<std::uint16_t>(SampleType::u16);
        all_cases<std::int32_t>(SampleType::i32);
        all_cases<std::uint64_t>(SampleType::u64);
        all_cases<float>(SampleType::f32);
        all_cases<double>(SampleType::f64);
        low_bits();
        jumps();
        same_from_wide();
    }
    refused();
    return check::report();
}
