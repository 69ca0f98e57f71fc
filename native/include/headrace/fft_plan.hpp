// Transform lengths, roots of unity and the memory behind a FirPlan.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "headrace/kernels.hpp"

namespace headrace {

inline constexpr std::int64_t max_taps = (std::int64_t{1} << 25) / 5;  // transforms of up to 2^24

// The transform length for a filter of `taps` taps: a function of that number alone, because it decides the bytes of every result.
std::int64_t fft_length_for(std::int64_t taps);

class FftPlan {
public:
    // `taps` holds (re, im) pairs. `paired` as in FirPlan.
    FftPlan(std::span<const double> taps, bool paired);
    // Of transforms of a power of two of at least 16 points, without taps.
    explicit FftPlan(std::int64_t length);
    FftPlan(const FftPlan&) = delete;
    FftPlan& operator=(const FftPlan&) = delete;

    const FirPlan& view() const { return view_; }

private:
    void set_length(std::int64_t length);

    std::vector<double> twiddles_;
    std::vector<double> spectrum_;
    FirPlan view_;
};

}  // namespace headrace
