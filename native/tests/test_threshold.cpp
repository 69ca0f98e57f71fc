// Runs beyond thresholds on every copy against a plain loop; the sorted window against sorting; exact comparisons at the thresholds.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "headrace/isa.hpp"
#include "headrace/threshold.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

template <class T>
void beyond_case(const KernelTable& table, SampleType type, double above, double below) {
    for (const std::int64_t n : {0, 1, 63, 64, 65, 200, 1000}) {
        check::Random random(5);
        Buffer<T> x(n);
        Buffer<std::uint64_t> words((n + 63) / 64);
        for (std::int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(i % 17 < 2 ? 100 * random.unit() : 20 + random.unit());
        const bool any = table.beyond({x.data.get(), type, n, above, below, words.data.get()});
        bool want_any = false;
        for (std::int64_t i = 0; i < n; ++i) {
            const bool want = static_cast<double>(x[i]) > above || static_cast<double>(x[i]) < below;
            want_any |= want;
            if ((words[i / 64] >> (i % 64) & 1) != want) return CHECK(false, "sample " + std::to_string(i));
        }
        CHECK(any == want_any, "any");
    }
}

template <class T>
void beyond_all(SampleType type) {
    constexpr double inf = std::numeric_limits<double>::infinity();
    for (const KernelTable* table : {&kernels(), &wide::table}) {
        beyond_case<T>(*table, type, 21.0, 20.0);
        beyond_case<T>(*table, type, 20.999999999, 20.0000000001);
        beyond_case<T>(*table, type, inf, 20.5);
        beyond_case<T>(*table, type, 20.5, -inf);
        beyond_case<T>(*table, type, 1e300, -1e300);
        beyond_case<T>(*table, type, inf, -inf);
    }
}

void float_limits() {
    constexpr float inf = std::numeric_limits<float>::infinity();
    const std::vector<float> x{inf, -inf, std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(), 0.1f};
    const auto bits = [&](double above, double below) {
        std::uint64_t word = 0;
        kernels().beyond({x.data(), SampleType::f32, static_cast<std::int64_t>(x.size()), above, below, &word});
        return word;
    };
    CHECK(bits(1e300, -1e300) == 0b00011, "a finite threshold beyond float32 is below infinity");
    CHECK(bits(3.4028234663852886e38, -3.4028234663852886e38) == 0b00011, "the largest float32 is not beyond itself");
    CHECK(bits(static_cast<double>(0.1f), -1e300) == 0b00111, "equal is not beyond");
    CHECK(bits(0.1, -1e300) == 0b10111, "0.1f is beyond 0.1");
}

// The whole of find_beyond with a block, at every alignment of a run to the words of bits.
void runs_case() {
    for (std::int64_t start = 0; start < 130; ++start)
        for (const std::int64_t length : {1, 2, 63, 64, 65}) {
            const std::int64_t n = 400;
            std::vector<float> x(static_cast<std::size_t>(n));
            for (std::int64_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i % 2);
            for (std::int64_t i = start; i < start + length; ++i) x[static_cast<std::size_t>(i)] = i == start + length / 2 ? 50.0f : 9.0f;
            ThresholdRule rule;
            rule.k = 3;
            const Found found = find_beyond(rule, {x.data(), SampleType::f32, 1000, n, 1}, 1000, 1000 + n);
            if (found.pieces.size() != 1) return CHECK(false, "one run");
            const Piece& p = found.pieces[0];
            CHECK(p.start == 1000 + start && p.end == p.start + length && p.peak == p.start + length / 2 && p.amplitude == 50, "run");
            CHECK(p.flags == (start == 0 ? open_left : 0), "flags");
        }
}

void sorted_window() {
    check::Random random(3);
    for (const int size : {1, 2, 3, 10, 33}) {
        SortedWindow window(size);
        std::vector<double> held;
        for (int i = 0; i < 300; ++i) {
            const double coming = std::floor(8 * random.unit());
            if (static_cast<int>(held.size()) < size) {
                window.insert(coming);
            } else {
                window.replace(held.front(), coming);
                held.erase(held.begin());
            }
            held.push_back(coming);
            std::vector<double> v = held;
            std::sort(v.begin(), v.end());
            const std::size_t n = v.size();
            const auto middle = [n](const std::vector<double>& s) { return n % 2 == 1 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2; };
            const double center = middle(v);
            CHECK(window.median() == center, "median");
            for (double& each : v) each = std::fabs(each - center);
            std::sort(v.begin(), v.end());
            CHECK(window.median_distance(center) == middle(v), "distance");
        }
        for (const double v : held) window.remove(v);
        CHECK(window.size() == 0, "empty");
    }
}

// Blocks whose values that are not NaN are fewer than the block: selection among fewer values may keep more of them.
void missing_values() {
    check::Random random(9);
    for (const std::int64_t n : {2048, 2049, 2500, 9000, 15'871})
        for (const std::int64_t missing : {1, 2, 400}) {
            Buffer<float> x(n);
            for (std::int64_t i = 0; i < n; ++i) x[i] = random.value<float>();
            for (std::int64_t k = 0; k < missing; ++k) x[k * (n / missing)] = std::numeric_limits<float>::quiet_NaN();
            const ThresholdRule rule{0.5, Noise::mad, Polarity::both, Missing::ignore, 0};
            const Found found = find_beyond(rule, {x.data.get(), SampleType::f32, 0, n, 1}, 0, n);
            CHECK(found.nan_sample < 0 && !found.pieces.empty(), "pieces of " + std::to_string(n));
        }
}

// However many are kept, the pieces are the same, in the same order.
void overflow_case() {
    check::Random random(10);
    const std::int64_t n = 500, channels = 3;
    Buffer<float> x(n * channels);
    for (std::int64_t i = 0; i < x.size; ++i) x[i] = random.value<float>();
    x[100] = std::numeric_limits<float>::quiet_NaN();
    for (const std::int64_t window : {0, 9})
        for (const std::size_t most : {1, 2, 7, 100'000}) {
            const ThresholdRule rule{1, Noise::mad, Polarity::both, Missing::gap, window};
            const ConstSamples samples{x.data.get(), SampleType::f32, 0, n, channels};
            const Found whole = find_beyond(rule, samples, 0, n);
            std::vector<Piece> pieces;
            Found found = find_beyond(rule, samples, 0, n, most, [&](std::span<const Piece> some) {
                CHECK(some.size() == most, "as many as were to be kept");
                pieces.insert(pieces.end(), some.begin(), some.end());
            });
            CHECK(found.pieces.size() <= most && whole.pieces.size() > 100, "kept");
            pieces.insert(pieces.end(), found.pieces.begin(), found.pieces.end());
            CHECK(pieces.size() == whole.pieces.size() && std::memcmp(pieces.data(), whole.pieces.data(), sizeof(Piece) * pieces.size()) == 0,
                  "same pieces");
            CHECK(found.states == whole.states, "same states");
        }
}

// Windows and blocks of every size and dtype inside tight buffers: what the sanitizers look at.
template <class T>
void bounds_case(SampleType type) {
    check::Random random(8);
    for (const std::int64_t n : {0, 1, 5, 64, 300})
        for (const std::int64_t channels : {1, 3, 20})
            for (const std::int64_t window : {0, 1, 7, 1000})
                for (const Missing missing : {Missing::ignore, Missing::gap}) {
                    Buffer<T> x(n * channels);
                    for (std::int64_t i = 0; i < x.size; ++i) {
                        x[i] = random.value<T>();
                        if constexpr (std::numeric_limits<T>::has_quiet_NaN)
                            if (random.unit() > 0.8) x[i] = std::numeric_limits<T>::quiet_NaN();
                    }
                    const ThresholdRule rule{0.5, Noise::std, Polarity::both, missing, window};
                    const Found found = find_beyond(rule, {x.data.get(), type, 0, n, channels}, n / 3, n);
                    CHECK(static_cast<std::int64_t>(found.states.size()) == channels, "states");
                    for (const Piece& p : found.pieces) CHECK(p.start >= n / 3 && p.start < p.end && p.end <= n && p.peak >= p.start && p.peak < p.end, "inside");
                }
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        beyond_all<std::int8_t>(SampleType::i8);
        beyond_all<std::uint8_t>(SampleType::u8);
        beyond_all<std::int16_t>(SampleType::i16);
        beyond_all<std::int32_t>(SampleType::i32);
        beyond_all<float>(SampleType::f32);
        beyond_all<double>(SampleType::f64);
        float_limits();
        runs_case();
        bounds_case<std::int16_t>(SampleType::i16);
        bounds_case<float>(SampleType::f32);
        bounds_case<double>(SampleType::f64);
        bounds_case<std::int64_t>(SampleType::i64);
    }
    missing_values();
    overflow_case();
    sorted_window();
    return check::report();
}
