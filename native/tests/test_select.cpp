// Medians, distances and standard deviations on every copy, against sorting; columns of many channels; the sift itself, copy by copy.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "headrace/isa.hpp"
#include "headrace/select.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

double sorted_median(std::vector<double> v) {
    std::sort(v.begin(), v.end());
    const std::size_t n = v.size();
    return n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

// Kinds: noise, few distinct values, constant, rising, infinities, a period that a regular sample would be in step with.
template <class T>
Buffer<T> values(std::int64_t n, int kind) {
    check::Random random(static_cast<std::uint64_t>(17 * n + kind));
    Buffer<T> x(n);
    for (std::int64_t i = 0; i < n; ++i) {
        const double u = random.unit();
        switch (kind) {
            case 0: x[i] = random.value<T>(); break;
            case 1: x[i] = static_cast<T>(2 + std::floor(2 * u)); break;
            case 2: x[i] = T(3); break;
            case 3: x[i] = static_cast<T>(i % 120); break;
            case 4: x[i] = static_cast<T>(i % 64 == 0 ? 100 : i % 7); break;
            default:
                x[i] = static_cast<T>(u * 100 + 100);
                if constexpr (std::numeric_limits<T>::has_infinity)
                    if (i % 5 == 0) x[i] = static_cast<T>(u > 0 ? infinity : -infinity);
        }
    }
    return x;
}

template <class T>
void median_cases(SampleType type) {
    for (const std::int64_t n : {1, 2, 3, 8, 31, 2048, 2049, 5000, 40001})
        for (int kind = 0; kind < 6; ++kind) {
            const std::string where = "type " + std::to_string(static_cast<int>(type)) + " n " + std::to_string(n) + " kind " + std::to_string(kind);
            const Buffer<T> x = values<T>(n, kind);
            const Column column{x.data.get(), type, n};
            const SelectScratch scratch(n);
            std::vector<double> wide(x.data.get(), x.data.get() + n);
            const double center = sorted_median(wide);
            CHECK(select_median(column, scratch) == center || (std::isnan(center) && std::isnan(*select_median(column, scratch))), where);
            if (!std::isfinite(center)) continue;
            for (double& v : wide) v = std::fabs(v - center);
            CHECK(select_median_distance(column, center, scratch) == sorted_median(wide), where);
        }
}

void nan_cases() {
    for (const std::int64_t n : {1, 100, 30000}) {
        Buffer<float> x = values<float>(n, 0);
        const SelectScratch scratch(n);
        x[n / 2] = static_cast<float>(nan);
        CHECK(!select_median({x.data.get(), SampleType::f32, n}, scratch), "one NaN in " + std::to_string(n));
        for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(nan);
        CHECK(!select_median({x.data.get(), SampleType::f32, n}, scratch), "all NaN");
    }
    CHECK(!select_median({nullptr, SampleType::f64, 0}, SelectScratch(0)), "nothing");
}

void deviation_cases() {
    for (const std::int64_t n : {1, 2, 31, 33, 4096, 4097, 70001}) {
        const Buffer<double> x = values<double>(n, 0);
        long double mean = 0, power = 0;
        for (std::int64_t i = 0; i < n; ++i) mean += x[i];
        mean /= static_cast<long double>(n);
        for (std::int64_t i = 0; i < n; ++i) power += (x[i] - mean) * (x[i] - mean);
        const auto want = static_cast<double>(std::sqrt(power / static_cast<long double>(n)));
        CHECK(std::fabs(standard_deviation({x.data.get(), SampleType::f64, n}) - want) <= 1e-15 * want, "std of " + std::to_string(n));
    }
}

template <class T>
void columns_case(SampleType type) {
    for (const std::int64_t channels : {1, 2, 5, 64, 67}) {
        const std::int64_t n = 133;
        const Buffer<T> x = values<T>(n * channels, 0);
        std::vector<double> out(static_cast<std::size_t>(channels));
        medians({x.data.get(), type, 0, n, channels}, out);
        for (std::int64_t c = 0; c < channels; ++c) {
            std::vector<double> column;
            for (std::int64_t i = 0; i < n; ++i) column.push_back(static_cast<double>(x[i * channels + c]));
            if (out[static_cast<std::size_t>(c)] != sorted_median(column)) return CHECK(false, "channel " + std::to_string(c));
        }
    }
}

// Every copy against the portable one: counts, kept values and their order.
template <class T>
void sift_case(const KernelTable& table, SampleType type) {
    for (const std::int64_t n : {0, 1, 7, 8, 9, 100, 1000}) {
        const Buffer<T> x = values<T>(n, 4);
        const std::int64_t capacity = n / 3;
        Buffer<double> a(capacity + 16), b(capacity + 16);
        std::fill_n(a.data.get(), a.size, 0.0);
        std::fill_n(b.data.get(), b.size, 0.0);
        SiftJob first{x.data.get(), type, n, 2.0, 3.0, 1.0, 4.0, a.data.get(), capacity}, second = first;
        second.kept = b.data.get();
        table.sift(first);
        portable::table.sift(second);
        const bool single = type < SampleType::i32 || type == SampleType::f32;
        const auto bytes = static_cast<std::size_t>(std::min(first.within, capacity)) * (single ? 4 : 8);
        CHECK(first.inner == second.inner && first.within == second.within && first.missing == second.missing, "counts");
        CHECK(std::memcmp(a.data.get(), b.data.get(), bytes) == 0, "kept");
    }
}

// Memory for columns of up to n values serves every shorter one too, also where a shorter one keeps more.
void shorter_columns() {
    std::int64_t before = 0;
    for (std::int64_t n = 0; n < 5'000'000; n += n < 20'000 ? 1 : 997) {
        CHECK(SelectScratch::bytes(n) >= before, "monotone at " + std::to_string(n));
        before = SelectScratch::bytes(n);
    }
    for (const std::int64_t n : {2049, 2500, 15'871, 262'144, 300'000}) {
        const SelectScratch scratch(n);
        const Buffer<double> x = values<double>(n, 6);
        for (const std::int64_t count : {n, n - 1, std::int64_t{2048}, std::min<std::int64_t>(n, 262'143), n / 2}) {
            const Column column{x.data.get(), SampleType::f64, count};
            std::vector<double> sorted(x.data.get(), x.data.get() + count);
            const double center = sorted_median(sorted);
            CHECK(select_median(column, scratch) == center, "median of " + std::to_string(count));
            for (double& v : sorted) v = std::fabs(v - center);
            CHECK(select_median_distance(column, center, scratch) == sorted_median(sorted), "distance of " + std::to_string(count));
        }
    }
}

template <class T>
void all(SampleType type) {
    sift_case<T>(kernels(), type);
    sift_case<T>(wide::table, type);
    median_cases<T>(type);
    columns_case<T>(type);
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        all<std::int8_t>(SampleType::i8);
        all<std::uint8_t>(SampleType::u8);
        all<std::int16_t>(SampleType::i16);
        all<std::uint16_t>(SampleType::u16);
        all<std::int32_t>(SampleType::i32);
        all<std::uint32_t>(SampleType::u32);
        all<float>(SampleType::f32);
        all<double>(SampleType::f64);
        columns_case<std::int64_t>(SampleType::i64);
        columns_case<std::uint64_t>(SampleType::u64);
        nan_cases();
        deviation_cases();
    }
    shorter_columns();
    return check::report();
}
