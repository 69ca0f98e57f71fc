// FirKernel against direct evaluation, on every ISA that this machine runs.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "headrace/fir.hpp"
#include "headrace/isa.hpp"

namespace {

using namespace headrace;
using check::Buffer;

std::vector<double> random_taps(std::int64_t count) {
    check::Random random(static_cast<std::uint64_t>(count));
    std::vector<double> taps(static_cast<std::size_t>(count));
    for (double& t : taps) t = random.unit();
    return taps;
}

// One output by direct evaluation over the whole signal.
double direct(const Buffer<double>& x, std::int64_t n, std::int64_t channels, std::int64_t channel, const std::vector<double>& taps,
              std::int64_t top) {
    double sum = 0;
    for (std::int64_t k = 0; k < static_cast<std::int64_t>(taps.size()); ++k)
        if (top - k >= 0 && top - k < n) sum += taps[static_cast<std::size_t>(k)] * x[(top - k) * channels + channel];
    return sum;
}

void equals_direct_evaluation(std::int64_t count, std::int64_t channels, std::int64_t n, std::int64_t shift, bool nonfinite,
                              const std::string& where) {
    const auto taps = random_taps(count);
    const FirKernel kernel(taps, false, false);
    check::Random random(5);
    Buffer<double> x(n * channels), out(n * channels);
    for (std::int64_t i = 0; i < x.size; ++i) x[i] = random.unit();
    if (nonfinite)
        for (std::int64_t i = 0; i < x.size; i += 701)
            x[i] = i % 3 == 0 ? std::numeric_limits<double>::quiet_NaN() : (i % 2 ? 1 : -1) * std::numeric_limits<double>::infinity();
    kernel.apply({x.data.get(), SampleType::f64, 0, n, channels}, shift, {out.data.get(), SampleType::f64, 0, n, channels});
    for (std::int64_t o = 0; o < n; ++o)
        for (std::int64_t c = 0; c < channels; ++c) {
            const double want = direct(x, n, channels, c, taps, o + shift), got = out[o * channels + c];
            const bool same = std::isfinite(want) ? std::abs(got - want) <= 1e-12 * static_cast<double>(count)
                                                  : (std::isnan(want) ? std::isnan(got) : got == want);
            if (!same) return CHECK(same, where + " o=" + std::to_string(o) + " c=" + std::to_string(c));
        }
}

void refuses() {
    CHECK(check::throws<std::invalid_argument>([] { FirKernel({}, false, false); }), "no taps");
    const std::vector<double> bad{1.0, std::nan("")};
    CHECK(check::throws<std::invalid_argument>([&] { FirKernel(bad, false, false); }), "NaN taps");
    const FirKernel kernel(random_taps(3), false, false);
    Buffer<double> x(4), y(4);
    const auto apply = [&](std::int64_t start, SampleType in, std::int64_t channels) {
        kernel.apply({x.data.get(), in, 0, 2, channels}, 0, {y.data.get(), SampleType::f64, start, 2, 1});
    };
    CHECK(check::throws<std::invalid_argument>([&] { apply(1, SampleType::f64, 1); }), "off the grid");
    CHECK(check::throws<std::invalid_argument>([&] { apply(0, SampleType::c64, 1); }), "complex");
    CHECK(check::throws<std::invalid_argument>([&] { apply(0, SampleType::f64, 2); }), "channels");
    CHECK(check::throws<std::invalid_argument>([&] { apply(std::int64_t{1} << 61, SampleType::f64, 1); }), "far away");
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        for (const std::int64_t taps : {1, 2, 3, 5, 33, 64, 65, 300, 1023})
            for (const std::int64_t channels : {1, 2, 3, 5, 9, 17})
                for (const bool nonfinite : {false, true}) {
                    const std::int64_t n = 37 + 211 * channels % 900 + (taps == 33 && channels == 1 ? 9000 : 0);
                    const std::string where = std::string(name(isa)) + " taps=" + std::to_string(taps) + " channels=" + std::to_string(channels);
                    for (const std::int64_t shift : {std::int64_t{0}, taps / 2, std::int64_t{-5}, taps + 4})
                        equals_direct_evaluation(taps, channels, n, shift, nonfinite, where + " shift=" + std::to_string(shift));
                }
    }
    refuses();
    return check::report();
}
