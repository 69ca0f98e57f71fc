// A filter for each channel on every copy: against the sum itself, with lags of either sign, whole shifts, and samples that do not exist.
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "headrace/delay.hpp"
#include "headrace/isa.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

struct Filters {
    std::vector<double> taps;
    std::vector<std::int64_t> lag;
};

Filters filters_of(std::int64_t channels, std::int64_t taps, bool one_lag) {
    check::Random random(static_cast<std::uint64_t>(channels * 100 + taps));
    Filters filters;
    for (std::int64_t c = 0; c < channels; ++c) {
        const bool whole = c % 4 == 3;
        for (std::int64_t k = 0; k < taps; ++k) filters.taps.push_back(whole ? (k == taps / 2 ? 1.0 : 0.0) : random.unit());
        filters.lag.push_back(one_lag ? -taps / 2 : static_cast<std::int64_t>(random.bits() % 9) - 4);
    }
    return filters;
}

template <class S, class D>
void delay_case(SampleType s, SampleType d, std::int64_t count, std::int64_t channels, std::int64_t taps, bool one_lag) {
    const std::int64_t in_start = 5, out_start = 7;
    const Filters filters = filters_of(channels, taps, one_lag);
    Buffer<S> in((count + 3) * channels);
    Buffer<D> out(count * channels);
    check::Random random(3);
    for (std::int64_t i = 0; i < in.size; ++i) in[i] = random.value<S>();
    if constexpr (!std::is_integral_v<S>)
        for (std::int64_t c = 3; c < channels; c += 4) in[c] = std::numeric_limits<S>::quiet_NaN();  // in channels that are copied
    delay({in.data.get(), s, in_start, count + 3, channels}, {out.data.get(), d, out_start, count, channels}, taps, filters.taps,
          filters.lag);
    for (std::int64_t o = 0; o < count; ++o)
        for (std::int64_t c = 0; c < channels; ++c) {
            double want = 0, size = 0;
            for (std::int64_t k = 0; k < taps; ++k) {
                const std::int64_t at = o + out_start - filters.lag[static_cast<std::size_t>(c)] - k - in_start;
                const double h = filters.taps[static_cast<std::size_t>(c * taps + k)];
                if (at < 0 || at >= count + 3 || (c % 4 == 3 && h == 0)) continue;
                want += h * static_cast<double>(in[at * channels + c]);
                size += std::abs(h * static_cast<double>(in[at * channels + c]));
            }
            const double found = static_cast<double>(out[o * channels + c]);
            const bool fits = std::isnan(want) ? std::isnan(found) : std::abs(found - want) <= size * (sizeof(D) == 4 ? 1e-7 : 1e-14);
            if (!fits) return CHECK(false, "output " + std::to_string(o) + " of channel " + std::to_string(c));
        }
}

template <class S>
void all_shapes(SampleType s) {
    for (const std::int64_t count : {0, 1, 8, 63, 130})
        for (const std::int64_t channels : {1, 4, 9})
            for (const std::int64_t taps : {1, 8, 31})
                for (const bool one_lag : {true, false}) {
                    delay_case<S, float>(s, SampleType::f32, count, channels, taps, one_lag);
                    delay_case<S, double>(s, SampleType::f64, count, channels, taps, one_lag);
                }
}

void same_from_wide() {
    const std::int64_t count = 200, channels = 13, taps = 24;
    const Filters filters = filters_of(channels, taps, false);
    const std::vector<std::int64_t> single(static_cast<std::size_t>(channels), -1);
    Buffer<float> in(count * channels), a(count * channels), b(count * channels);
    check::Random random(8);
    for (std::int64_t i = 0; i < in.size; ++i) in[i] = random.value<float>();
    std::vector<double> memory(8 * (2 * delay_block + 2 * taps) + 8);
    void* aligned = memory.data();
    std::size_t space = memory.size() * 8;
    std::align(64, 1, aligned, space);
    DelayJob job{{in.data.get(), SampleType::f32, 0, count, channels}, {a.data.get(), SampleType::f32, 0, count, channels}, taps,
                 filters.taps.data(), filters.lag.data(), single.data(), static_cast<double*>(aligned)};
    kernels().delay(job);
    job.out.data = b.data.get();
    wide::table.delay(job);
    CHECK(a.same_bytes(b), "wide");
}

void refused() {
    float x[4] = {}, y[4] = {};
    const std::vector<double> taps(4, 1.0);
    const std::vector<std::int64_t> lag(2, 0), far(2, std::int64_t{1} << 61);
    const ConstSamples in{x, SampleType::f32, 0, 2, 2};
    const Samples out{y, SampleType::f32, 0, 2, 2};
    const auto run = [&](ConstSamples i, Samples o, std::int64_t count, const std::vector<std::int64_t>& lags) {
        return check::throws<std::invalid_argument>([&] { delay(i, o, count, taps, lags); });
    };
    CHECK(!run(in, out, 2, lag), "accepted");
    CHECK(run(in, out, 3, lag), "coefficients");
    CHECK(run(in, out, 2, far), "lag");
    CHECK(run({x, SampleType::c64, 0, 1, 2}, out, 2, lag), "complex");
    CHECK(run(in, {y, SampleType::i16, 0, 2, 2}, 2, lag), "integers out");
    CHECK(run(in, {y, SampleType::f32, 0, 4, 1}, 2, lag), "channels");
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        all_shapes<std::int16_t>(SampleType::i16);
        all_shapes<std::uint8_t>(SampleType::u8);
        all_shapes<std::int32_t>(SampleType::i32);
        all_shapes<std::uint64_t>(SampleType::u64);
        all_shapes<float>(SampleType::f32);
        all_shapes<double>(SampleType::f64);
        same_from_wide();
    }
    refused();
    return check::report();
}
