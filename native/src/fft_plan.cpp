#include "headrace/fft_plan.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace headrace {

namespace {

// exp(-2 pi i k / n) from one table of the first octant, evaluated in long double and rounded once; the rest by symmetry.
class Roots {
public:
    explicit Roots(std::int64_t n) : n_(n), octant_(2 * (n / 8 + 1)) {
        for (std::int64_t k = 0; k <= n / 8; ++k) {
            const long double angle = 2 * std::numbers::pi_v<long double> * static_cast<long double>(k) / static_cast<long double>(n);
            octant_[2 * k] = static_cast<double>(std::cos(angle));
            octant_[2 * k + 1] = static_cast<double>(std::sin(angle));
        }
    }

    void write(std::int64_t k, double* out) const {
        k &= n_ - 1;
        const std::int64_t quarter = k / (n_ / 4), rest = k % (n_ / 4);
        const bool mirrored = rest > n_ / 8;
        const std::int64_t at = mirrored ? n_ / 4 - rest : rest;
        double c = octant_[2 * at], s = octant_[2 * at + 1];
        if (mirrored) std::swap(c, s);
        const double re[] = {c, -s, -c, s}, im[] = {-s, -c, s, c};
        out[0] = re[quarter];
        out[1] = im[quarter];
    }

private:
    std::int64_t n_;
    std::vector<double> octant_;
};

}  // namespace

// Short filters: at most a quarter of each transform is overlap. Longer ones: less than half, because a workspace that leaves the
// second-level cache costs more than the overlap. Chosen by measurement; a change here changes the bytes of results.
std::int64_t fft_length_for(std::int64_t taps) {
    const std::int64_t wanted = taps <= 1024 ? 4 * taps : taps * 5 / 2;
    return std::max<std::int64_t>(256, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(wanted))));
}

FftPlan::FftPlan(std::int64_t length) { set_length(length); }

void FftPlan::set_length(std::int64_t length) {
    view_.length = length;
    view_.leaf = std::countr_zero(static_cast<std::uint64_t>(view_.length)) % 2 == 0 ? 4 : 8;

    const Roots roots(view_.length);
    std::vector<std::int64_t> starts;
    for (std::int64_t n = view_.length; n > view_.leaf; n /= 4) {
        starts.push_back(static_cast<std::int64_t>(twiddles_.size()));
        twiddles_.resize(twiddles_.size() + 6 * (n / 4));
        double* out = twiddles_.data() + starts.back();
        for (std::int64_t j = 0; j < n / 4; ++j)
            for (int power = 1; power <= 3; ++power, out += 2) roots.write(power * j * (view_.length / n), out);
    }
    view_.levels = static_cast<int>(starts.size());
    for (int i = 0; i < view_.levels; ++i) view_.twiddles[i] = twiddles_.data() + starts[i];
}

FftPlan::FftPlan(std::span<const double> taps, bool paired) {
    const auto count = static_cast<std::int64_t>(taps.size() / 2);
    if (count < 1) throw std::invalid_argument("a filter needs at least one tap");
    if (count > max_taps)
        throw std::invalid_argument(std::to_string(count) + " taps are more than the " + std::to_string(max_taps) +
                                    " that the longest transform allows");
    if (!std::all_of(taps.begin(), taps.end(), [](double t) { return std::isfinite(t); }))
        throw std::invalid_argument("taps must be finite");

    view_.taps = count;
    set_length(fft_length_for(count));
    view_.step = view_.length - count + 1;
    view_.paired = paired;

    spectrum_.assign(2 * view_.length, 0.0);
    std::copy(taps.begin(), taps.end(), spectrum_.begin());
    portable::table.fir_forward(view_, spectrum_.data());
    for (double& s : spectrum_) s /= static_cast<double>(view_.length);  // exact: a power of two
    view_.spectrum = spectrum_.data();
}

}  // namespace headrace
