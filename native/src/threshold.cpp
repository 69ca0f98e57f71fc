#include "headrace/threshold.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

#include "headrace/select.hpp"

namespace headrace {

namespace {

constexpr double normal_quartile = 0.6744897501960817;  // of the standard normal distribution at 3/4
constexpr double infinity = std::numeric_limits<double>::infinity();

// Which values are beyond. Comparisons with NaN are false, so undefined statistics find nothing.
struct Thresholds {
    double center = 0, above = infinity, below = -infinity;
    bool beyond(double v) const { return v > above || v < below; }
    bool defined() const { return above == above && below == below; }
};

Thresholds thresholds(const ThresholdRule& rule, double center, double noise) {
    if (!std::isfinite(center)) return {center, infinity, -infinity};
    const double reach = rule.k * noise;
    Thresholds t{center, center + reach, center - reach};
    if (rule.polarity == Polarity::neg && t.defined()) t.above = infinity;
    if (rule.polarity == Polarity::pos && t.defined()) t.below = -infinity;
    return t.defined() ? t : Thresholds{center, infinity, -infinity};
}

// Pieces and states in the order in which they are found.
class Collector {
public:
    Collector(Found& found, std::size_t most, const Overflow& overflow) : found_(found), most_(most), overflow_(overflow) {}

    void piece(const Piece& piece) {
        if (found_.pieces.size() == most_) {
            overflow_(found_.pieces);
            found_.pieces.clear();
        }
        found_.pieces.push_back(piece);
    }
    void state(std::uint32_t state) { found_.states.push_back(static_cast<std::uint8_t>(state)); }

private:
    Found& found_;
    std::size_t most_;
    const Overflow& overflow_;
};

// Makes pieces of samples that come one by one.
class Runs {
public:
    Runs(Collector& found, std::int64_t channel, Missing missing) : found_(found), channel_(channel), missing_(missing) {}

    void sample(std::int64_t i, double v, const Thresholds& t) {
        if (v != v) return nan();
        if (t.beyond(v)) {
            const double distance = std::fabs(v - t.center);
            if (!open_) {
                const std::uint32_t left = seen_ || gap_ ? 0 : open_left;
                now_ = {i, i, i, v, distance, static_cast<std::int32_t>(channel_), left | (gap_ ? after_gap : 0)};
                open_ = true;
                gap_ = false;
            } else if (distance > now_.distance) {
                now_.peak = i;
                now_.amplitude = v;
                now_.distance = distance;
            }
            now_.end = i + 1;
        } else if (open_) {
            close(0);
        }
        seen_ = true;
    }

    void finish() {
        if (open_) close(gap_ ? 0 : open_right);
        found_.state((seen_ ? 0u : no_samples) | (gap_ ? ends_in_gap : 0u));
    }

private:
    void nan() {
        if (missing_ != Missing::gap) return;
        if (open_) close(0);
        gap_ = true;
    }
    void close(std::uint32_t right) {
        now_.flags |= right;
        found_.piece(now_);
        open_ = false;
    }

    Collector& found_;
    std::int64_t channel_;
    Missing missing_;
    Piece now_;
    bool open_ = false, seen_ = false, gap_ = false;
};

template <class T>
void push_run(const T* x, std::int64_t n, std::int64_t a, std::int64_t b, double center, std::int64_t shift, std::int64_t channel, Collector& found) {
    std::int64_t peak = a;
    double distance = -1;
    for (std::int64_t i = a; i < b; ++i) {
        const double d = std::fabs(static_cast<double>(x[i]) - center);
        if (d > distance) {
            distance = d;
            peak = i;
        }
    }
    found.piece({a + shift, b + shift, peak + shift, static_cast<double>(x[peak]), distance, static_cast<std::int32_t>(channel),
                 (a == 0 ? open_left : 0) | (b == n ? open_right : 0)});
}

// The runs of set bits; no sample is NaN.
template <class T>
void runs_of_bits(const T* x, std::int64_t n, const std::uint64_t* words, double center, std::int64_t shift, std::int64_t channel, Collector& found) {
    std::int64_t open = -1;
    for (std::int64_t start = 0; start < n; start += 64) {
        const std::uint64_t bits = words[start / 64];
        if (bits == 0 && open < 0) continue;
        for (int at = 0; at < 64;) {
            const std::uint64_t rest = (open < 0 ? bits : ~bits) >> at;
            if (rest == 0) break;
            at += std::countr_zero(rest);
            if (open < 0) {
                open = start + at;
            } else {
                push_run(x, n, open, start + at, center, shift, channel, found);
                open = -1;
            }
        }
    }
    if (open >= 0) push_run(x, n, open, n, center, shift, channel, found);
}

void runs_of_column(const Column& column, const std::uint64_t* words, double center, std::int64_t shift, std::int64_t channel, Collector& found) {
    const auto each = [&]<class T>(const T* x) { runs_of_bits(x, column.count, words, center, shift, channel, found); };
    switch (column.type) {
        case SampleType::i8: return each(static_cast<const std::int8_t*>(column.data));
        case SampleType::u8: return each(static_cast<const std::uint8_t*>(column.data));
        case SampleType::i16: return each(static_cast<const std::int16_t*>(column.data));
        case SampleType::u16: return each(static_cast<const std::uint16_t*>(column.data));
        case SampleType::i32: return each(static_cast<const std::int32_t*>(column.data));
        case SampleType::u32: return each(static_cast<const std::uint32_t*>(column.data));
        case SampleType::f32: return each(static_cast<const float*>(column.data));
        default: return each(static_cast<const double*>(column.data));
    }
}

// The values of [start, stop) that are not NaN.
std::vector<double> present(const Column& column, std::int64_t start, std::int64_t stop) {
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(stop - start));
    for (std::int64_t i = start; i < stop; ++i) {
        const double v = value_at(column, i);
        if (v == v) values.push_back(v);
    }
    return values;
}

// Judges whole columns by their own median and noise.
class BlockJudge {
public:
    BlockJudge(const ThresholdRule& rule, std::int64_t count)
        : rule_(rule), scratch_(count), words_(static_cast<std::size_t>((count + 63) / 64)) {}

    // False if a NaN is in the way.
    bool judge(const Column& column, std::int64_t shift, std::int64_t channel, Collector& found) {
        const std::optional<double> center = select_median(column, scratch_);
        if (!center) return rule_.missing != Missing::raise && judge_with_nan(column, shift, channel, found);
        const Thresholds t = thresholds(rule_, *center, noise(column, *center));
        found.state(0);
        if (kernels().beyond({column.data, column.type, column.count, t.above, t.below, words_.data()}))
            runs_of_column(column, words_.data(), *center, shift, channel, found);
        return true;
    }

private:
    double noise(const Column& column, double center) const {
        if (!std::isfinite(center)) return infinity;
        if (rule_.noise == Noise::std) return standard_deviation(column);
        return select_median_distance(column, center, scratch_).value_or(infinity) / normal_quartile;
    }

    bool judge_with_nan(const Column& column, std::int64_t shift, std::int64_t channel, Collector& found) const {
        const std::vector<double> values = present(column, 0, column.count);
        const Column kept{values.data(), SampleType::f64, static_cast<std::int64_t>(values.size())};
        const std::optional<double> center = select_median(kept, scratch_);
        const Thresholds t = center ? thresholds(rule_, *center, noise(kept, *center)) : Thresholds{};
        Runs runs(found, channel, rule_.missing);
        for (std::int64_t i = 0; i < column.count; ++i) runs.sample(i + shift, value_at(column, i), t);
        runs.finish();
        return true;
    }

    ThresholdRule rule_;
    SelectScratch scratch_;
    std::vector<std::uint64_t> words_;
};

// Judges each sample of [start, stop) by the window around it.
bool judge_windows(const ThresholdRule& rule, const Column& column, std::int64_t start, std::int64_t stop, std::int64_t shift,
                   std::int64_t channel, Collector& found) {
    const std::int64_t left = rule.window / 2, right = rule.window - left, n = column.count;
    if (rule.missing == Missing::raise)
        for (std::int64_t i = start; i < stop; ++i)
            if (value_at(column, i) != value_at(column, i)) return false;
    SortedWindow window(std::min(rule.window, n));
    Runs runs(found, channel, rule.missing);
    std::int64_t first = std::max<std::int64_t>(0, start - left), last = std::min(n, start + right);
    window.assign(present(column, first, last));  // from here on it holds what is not NaN in [first, last)
    for (std::int64_t i = start; i < stop; ++i) {
        const std::int64_t want_first = std::max<std::int64_t>(0, i - left), want_last = std::min(n, i + right);
        while (last < want_last || first < want_first) {
            const double coming = last < want_last ? value_at(column, last) : std::nan("");
            const double leaving = first < want_first ? value_at(column, first) : std::nan("");
            if (coming == coming && leaving == leaving)
                window.replace(leaving, coming);
            else if (coming == coming)
                window.insert(coming);
            else if (leaving == leaving)
                window.remove(leaving);
            last += last < want_last;
            first += first < want_first;
        }
        const double v = value_at(column, i);
        if (v != v || window.size() == 0) {
            runs.sample(i + shift, v, {});
            continue;
        }
        const double center = window.median();
        double noise = infinity;
        if (std::isfinite(center)) noise = rule.noise == Noise::std ? window.standard_deviation() : window.median_distance(center) / normal_quartile;
        runs.sample(i + shift, v, thresholds(rule, center, noise));
    }
    runs.finish();
    return true;
}

}  // namespace

Found find_beyond(const ThresholdRule& rule, const ConstSamples& samples, std::int64_t start, std::int64_t stop, std::size_t most,
                  const Overflow& overflow) {
    Found found;
    Collector collector(found, most, overflow);
    const bool windowed = rule.window > 0;
    ConstSamples judged = samples;
    if (!windowed) {
        const std::int64_t skipped = start - samples.start;
        judged.data = static_cast<const std::byte*>(samples.data) + static_cast<std::size_t>(skipped * samples.channels) * item_size(samples.type);
        judged.start = start;
        judged.count = stop - start;
    }
    Columns columns(judged);
    std::optional<BlockJudge> blocks;
    if (!windowed) blocks.emplace(rule, judged.count);
    for (std::int64_t c = 0; c < judged.channels; ++c) {
        const Column column = columns[c];
        const bool done = windowed ? judge_windows(rule, column, start - judged.start, stop - judged.start, judged.start, c, collector)
                                   : blocks->judge(column, judged.start, c, collector);
        if (done) continue;
        for (std::int64_t i = start - judged.start; i < stop - judged.start; ++i) {
            const double v = value_at(column, i);
            if (v == v) continue;
            found.nan_sample = i + judged.start;
            found.nan_channel = c;
            return found;
        }
    }
    return found;
}

std::int64_t find_beyond_workspace_bytes(const ThresholdRule& rule, SampleType type, std::int64_t count, std::int64_t channels) {
    const std::int64_t columns = Columns::bytes(type, count, channels);
    if (rule.window > 0) return columns + 16 * std::min(rule.window, count);
    const bool compacts = rule.missing != Missing::raise && (type == SampleType::f32 || type == SampleType::f64);
    return columns + SelectScratch::bytes(count) + count / 8 + 8 + (compacts ? 8 * count : 0);
}

}  // namespace headrace
