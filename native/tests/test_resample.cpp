// Another rate, on every copy: against the sum itself, wherever the samples and the outputs begin, and over samples that do not exist.
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "headrace/isa.hpp"
#include "headrace/resample.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

struct Rate {
    std::int64_t taps, up, down, delay;
};

std::vector<double> taps_of(const Rate& rate) {
    check::Random random(static_cast<std::uint64_t>(rate.taps));
    std::vector<double> h(static_cast<std::size_t>(rate.taps));
    for (double& tap : h) tap = random.unit();
    return h;
}

std::vector<double> phases_of(const Rate& rate, const std::vector<double>& h) {
    const std::int64_t columns = polyphase_columns(rate.taps, rate.up);
    std::vector<double> phases(static_cast<std::size_t>(rate.up * columns));
    for (std::int64_t i = 0; i < rate.taps; ++i)
        phases[static_cast<std::size_t>(i % rate.up * columns + i / rate.up)] = h[static_cast<std::size_t>(i)];
    return phases;
}

template <class S, class D>
void rate_case(SampleType s, SampleType d, const Rate& rate, std::int64_t in_count, std::int64_t out_count, std::int64_t channels) {
    const std::int64_t in_start = 5, out_start = 7;
    const std::vector<double> h = taps_of(rate);
    Buffer<S> in(in_count * channels);
    Buffer<D> out(out_count * channels);
    check::Random random(3);
    for (std::int64_t i = 0; i < in.size; ++i) in[i] = random.value<S>();
    if constexpr (!std::is_integral_v<S>)
        if (in_count > 60) in[60 * channels] = std::numeric_limits<S>::quiet_NaN();
    resample({in.data.get(), s, in_start, in_count, channels}, {out.data.get(), d, out_start, out_count, channels}, rate.taps, rate.up,
             rate.down, rate.delay, phases_of(rate, h));
    for (std::int64_t o = 0; o < out_count; ++o)
        for (std::int64_t c = 0; c < channels; ++c) {
            double want = 0, size = 0;
            for (std::int64_t k = 0; k < in_count; ++k) {
                const std::int64_t tap = (o + out_start) * rate.down + rate.delay - (k + in_start) * rate.up;
                if (tap < 0 || tap >= rate.taps) continue;
                const double product = h[static_cast<std::size_t>(tap)] * static_cast<double>(in[k * channels + c]);
                want += product;
                size += std::abs(product);
            }
            const double found = static_cast<double>(out[o * channels + c]);
            const bool fits = std::isnan(want) ? std::isnan(found) : std::abs(found - want) <= size * (sizeof(D) == 4 ? 1e-7 : 1e-14);
            if (!fits) return CHECK(false, "output " + std::to_string(o) + " of channel " + std::to_string(c));
        }
}

const Rate rates[] = {{1, 1, 1, 0}, {61, 3, 2, 30}, {60, 2, 3, 29}, {5, 7, 1, 2}, {141, 1, 7, 70}, {201, 10, 9, 100}, {2, 5, 4, 0}};

template <class S>
void all_shapes(SampleType s) {
    for (const Rate& rate : rates)
        for (const std::int64_t channels : {1, 3, 4, 9, 17})
            for (const std::int64_t out_count : {0, 1, 9, 83, 700}) {
                rate_case<S, float>(s, SampleType::f32, rate, 130, out_count, channels);
                rate_case<S, double>(s, SampleType::f64, rate, out_count * rate.down / rate.up + 90, out_count, channels);
            }
}

void same_from_wide() {
    for (const Rate& rate : rates)
        for (const std::int64_t channels : {1, 6, 13}) {
            const std::vector<double> phases = phases_of(rate, taps_of(rate));
            const std::int64_t columns = polyphase_columns(rate.taps, rate.up), count = 500;
            Buffer<float> in(900 * channels), a(count * channels), b(count * channels);
            check::Random random(8);
            for (std::int64_t i = 0; i < in.size; ++i) in[i] = random.value<float>();
            const std::int64_t tile = resample_tile(columns, rate.up, rate.down);
            std::vector<double> memory(static_cast<std::size_t>(8 * (resample_rows(tile, columns, rate.up, rate.down) + tile) + 8));
            void* aligned = memory.data();
            std::size_t space = memory.size() * 8;
            std::align(64, 1, aligned, space);
            ResampleJob job{{in.data.get(), SampleType::f32, 0, 900, channels}, {a.data.get(), SampleType::f32, 3, count, channels},
                            rate.taps, columns, rate.up, rate.down, rate.delay, phases.data(), static_cast<double*>(aligned)};
            kernels().resample(job);
            job.out.data = b.data.get();
            wide::table.resample(job);
            CHECK(a.same_bytes(b), "wide");
        }
}

void refused() {
    float x[4] = {}, y[4] = {};
    const std::vector<double> phases(6, 1.0);
    const ConstSamples in{x, SampleType::f32, 0, 2, 2};
    const Samples out{y, SampleType::f32, 0, 2, 2};
    const auto run = [&](ConstSamples i, Samples o, std::int64_t taps, std::int64_t up, std::int64_t down, std::int64_t delay) {
        return check::throws<std::invalid_argument>([&] { resample(i, o, taps, up, down, delay, phases); });
    };
    CHECK(!run(in, out, 5, 2, 3, 2), "accepted");
    CHECK(!run(in, out, 5, 3, 3, 2), "as many places with other factors");
    CHECK(run(in, out, 7, 2, 3, 2), "taps");
    CHECK(run(in, out, 5, 0, 3, 2), "up");
    CHECK(run(in, out, 5, 2, std::int64_t{1} << 40, 2), "down");
    CHECK(run(in, out, 5, 2, 3, 5), "delay");
    CHECK(run({x, SampleType::c64, 0, 1, 2}, out, 5, 2, 3, 2), "complex");
    CHECK(run(in, {y, SampleType::i16, 0, 2, 2}, 5, 2, 3, 2), "integers out");
    CHECK(run(in, {y, SampleType::f32, 0, 4, 1}, 5, 2, 3, 2), "channels");
    CHECK(run({x, SampleType::f32, std::int64_t{1} << 60, 2, 2}, out, 5, 2, 3, 2), "position");
    CHECK(run(in, {y, SampleType::f32, -1, 2, 2}, 5, 2, 3, 2), "position before the signal");
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
