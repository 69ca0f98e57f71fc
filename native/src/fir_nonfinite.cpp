// What a NaN or an infinity does to a convolution, term by term, at a cost near the number of samples.
//
// The samples of the stream that are not finite are kept as runs of one kind. An output whose window touches a NaN run is NaN. One that
// touches only infinities is the sum of its terms h[k] * (+-inf): NaN if some h[k] is zero or if terms of both signs meet, else the
// infinity of their common sign. Which signs the taps [a, b) have is a difference of prefix counts, so a run costs O(1) per output.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

#include "headrace/fir.hpp"

namespace headrace {

namespace {

enum class Kind : std::uint8_t { finite, nan, plus, minus };

struct Run {
    std::int64_t begin, end;  // absolute samples
    Kind kind;
};
static_assert(sizeof(Run) == patch_run_bytes);

Kind kind_of(double v) { return std::isnan(v) ? Kind::nan : std::isinf(v) ? (v > 0 ? Kind::plus : Kind::minus) : Kind::finite; }

Kind kind_at(const ConstSamples& in, std::int64_t index) {
    switch (in.type) {
        case SampleType::f32: return kind_of(static_cast<const float*>(in.data)[index]);
        case SampleType::f64: return kind_of(static_cast<const double*>(in.data)[index]);
        case SampleType::c64: {
            const auto v = static_cast<const std::complex<float>*>(in.data)[index];
            return std::isfinite(v.real()) && std::isfinite(v.imag()) ? Kind::finite : Kind::nan;
        }
        case SampleType::c128: {
            const auto v = static_cast<const std::complex<double>*>(in.data)[index];
            return std::isfinite(v.real()) && std::isfinite(v.imag()) ? Kind::finite : Kind::nan;
        }
        default: return Kind::finite;
    }
}

// Twice over the samples, so that the runs are allocated once and exactly.
std::vector<Run> runs_of(const ConstSamples& in, std::int64_t channel, std::int64_t begin, std::int64_t end, bool any_is_nan) {
    const auto each = [&](auto&& started, auto&& continued) {
        Kind before = Kind::finite;
        for (std::int64_t i = begin; i < end; ++i) {
            Kind kind = kind_at(in, (i - in.start) * in.channels + channel);
            if (kind != Kind::finite && any_is_nan) kind = Kind::nan;
            if (kind != Kind::finite && kind == before) continued();
            if (kind != Kind::finite && kind != before) started(i, kind);
            before = kind;
        }
    };
    std::size_t count = 0;
    each([&](std::int64_t, Kind) { ++count; }, [] {});
    std::vector<Run> runs;
    runs.reserve(count);
    each([&](std::int64_t i, Kind kind) { runs.push_back({i, i + 1, kind}); }, [&] { ++runs.back().end; });
    return runs;
}

void store(const Samples& out, std::int64_t index, double value) {
    switch (out.type) {
        case SampleType::f32: static_cast<float*>(out.data)[index] = static_cast<float>(value); break;
        case SampleType::f64: static_cast<double*>(out.data)[index] = value; break;
        case SampleType::c64: static_cast<std::complex<float>*>(out.data)[index] = {static_cast<float>(value), static_cast<float>(value)}; break;
        default: static_cast<std::complex<double>*>(out.data)[index] = {value, value}; break;
    }
}

// How many of taps [0, k) are positive, negative: the rest are zero.
class SignCounts {
public:
    explicit SignCounts(std::span<const double> pairs) : positive_(pairs.size() / 2 + 1), negative_(pairs.size() / 2 + 1) {
        for (std::size_t k = 0; k < pairs.size() / 2; ++k) {
            positive_[k + 1] = positive_[k] + (pairs[2 * k] > 0);
            negative_[k + 1] = negative_[k] + (pairs[2 * k] < 0);
        }
    }
    std::int64_t positive(std::int64_t a, std::int64_t b) const { return positive_[b] - positive_[a]; }
    std::int64_t negative(std::int64_t a, std::int64_t b) const { return negative_[b] - negative_[a]; }

private:
    std::vector<std::int32_t> positive_, negative_;
};

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();

// The value of an output at sample `top` of y_full whose window touches runs[first] and perhaps later ones.
double value_of(const std::vector<Run>& runs, std::size_t first, const SignCounts& signs, std::int64_t taps, std::int64_t top) {
    bool plus = false, minus = false;
    for (std::size_t r = first; r < runs.size() && runs[r].begin <= top; ++r) {
        if (runs[r].kind == Kind::nan) return nan_value;
        const std::int64_t a = std::max<std::int64_t>(0, top - runs[r].end + 1), b = std::min(taps, top - runs[r].begin + 1);
        const std::int64_t positive = signs.positive(a, b), negative = signs.negative(a, b);
        if (positive + negative < b - a) return nan_value;
        const bool up = runs[r].kind == Kind::plus;
        plus = plus || (up ? positive : negative) > 0;
        minus = minus || (up ? negative : positive) > 0;
        if (plus && minus) return nan_value;
    }
    return plus ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

}  // namespace

void patch_nonfinite(const FirJob& job, std::span<const double> taps, std::int64_t stream) {
    const FirPlan& plan = *job.plan;
    const std::int64_t channel = stream % job.in.channels, cell_length = plan.step * (plan.paired ? 2 : 1);
    const std::int64_t out_begin = (job.first_cell + stream / job.in.channels) * cell_length;
    const std::int64_t out_end = std::min(out_begin + cell_length, job.out.start + job.out.count);
    const std::int64_t in_begin = std::max(job.in.start, out_begin + job.shift - plan.taps + 1);
    const std::int64_t in_end = std::min({job.in.start + job.in.count, job.in_stop, out_end + job.shift});
    const std::vector<Run> runs = runs_of(job.in, channel, in_begin, in_end, !plan.paired);
    const SignCounts signs(taps);

    std::size_t first = 0, last_nan = runs.size();  // the first run that still reaches the window; the last NaN run that has begun
    std::size_t next = 0;
    for (std::int64_t o = out_begin; o < out_end; ++o) {
        const std::int64_t top = o + job.shift, bottom = top - plan.taps + 1;
        while (first < runs.size() && runs[first].end <= bottom) ++first;
        for (; next < runs.size() && runs[next].begin <= top; ++next)
            if (runs[next].kind == Kind::nan) last_nan = next;
        if (first == runs.size() || runs[first].begin > top) continue;
        const bool touches_nan = last_nan < runs.size() && runs[last_nan].end > bottom;
        store(job.out, (o - job.out.start) * job.out.channels + channel,
              touches_nan ? nan_value : value_of(runs, first, signs, plan.taps, top));
    }
}

}  // namespace headrace
