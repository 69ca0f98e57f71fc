#include "headrace/select.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace headrace {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t small = 2048;     // up to here a column is copied and partitioned as it is
constexpr std::int64_t most_sampled = 2048;
constexpr int quick_rounds = 8;
constexpr std::int64_t slack = 16;       // elements that a sift may write beyond its capacity

bool single_keys(SampleType type, bool deviation) { return !deviation && (type < SampleType::i32 || type == SampleType::f32); }

std::int64_t kept_most(std::int64_t n) { return n <= small ? n : n / 8 + 64; }

std::int64_t scratch_bytes(std::int64_t n) {
    std::int64_t total = 0;
    for (;; n = kept_most(n)) {
        total += (kept_most(n) + slack) * static_cast<std::int64_t>(sizeof(double));
        if (n <= small) return total;
    }
}

// A place in [0, width) that no period of the signal can be in step with: SplitMix64 of the number.
std::int64_t jitter(std::int64_t number, std::int64_t width) {
    std::uint64_t z = static_cast<std::uint64_t>(number + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<std::int64_t>((z ^ (z >> 31)) % static_cast<std::uint64_t>(width));
}

struct Pair {
    double low, high;
};

// What is selected from: values, or distances from a center.
struct Keys {
    Column column;
    bool deviation = false;
    double center = 0;

    double at(std::int64_t i) const {
        const double v = value_at(column, i);
        return deviation ? std::fabs(v - center) : v;
    }
};

template <class K>
class Selection {
public:
    Selection(const Keys& keys, std::byte* scratch)
        : keys_(keys), kept_(reinterpret_cast<K*>(scratch)), capacity_(kept_most(keys.column.count)),
          rest_(scratch + (capacity_ + slack) * static_cast<std::int64_t>(sizeof(double))) {}

    // The values of ranks low and high, of which high is low or low + 1. None where a key is NaN.
    std::optional<Pair> pair(std::int64_t low, std::int64_t high) {
        const auto [lo, hi] = keys_.column.count <= small ? Pair{-infinity, infinity} : bracket(low, high);
        const SiftJob job = sift(lo, hi);
        if (job.missing != 0) return std::nullopt;
        const std::int64_t end = job.below + job.within;
        if (low < job.below || high >= end || job.within > capacity_) {
            const auto one = [&](std::int64_t rank) {
                if (rank < job.below) return within(rank, -infinity, below(lo));
                return rank < end ? within(rank, lo, hi) : within(rank, above(hi), infinity);
            };
            if (lo == hi && low >= job.below && high < end) return Pair{lo, lo};
            const double first = one(low);
            if (low == high) return Pair{first, first};
            const SiftJob equal = sift(first, first);
            return Pair{first, high < equal.below + equal.within ? first : one(high)};
        }
        if (job.within > small) {
            const Column kept{kept_, sizeof(K) == 4 ? SampleType::f32 : SampleType::f64, job.within};
            return Selection<K>({kept}, rest_).pair(low - job.below, high - job.below);
        }
        const double second = partitioned(job.within, high - job.below);
        if (low == high) return Pair{second, second};
        return Pair{static_cast<double>(*std::max_element(kept_, kept_ + (high - job.below))), second};
    }

private:
    SiftJob sift(double lo, double hi) {
        SiftJob job{keys_.column.data, keys_.column.type, keys_.column.count, keys_.deviation, keys_.center, lo, hi, kept_, capacity_};
        kernels().sift(job);
        return job;
    }

    // The value of a rank that is known to lie in [lo, hi]. After some rounds with quick pivots, each puts aside half of what was kept, a
    // sixteenth of the column, so that no signal takes many.
    double within(std::int64_t rank, double lo, double hi) {
        for (int round = 0;; ++round) {
            const SiftJob job = sift(lo, hi);
            if (job.within <= capacity_) return partitioned(job.within, rank - job.below);
            const double pivot = round < quick_rounds ? quick_pivot() : partitioned(capacity_, capacity_ / 2);
            const SiftJob equal = sift(pivot, pivot);
            if (rank < equal.below)
                hi = below(pivot);
            else if (rank < equal.below + equal.within)
                return pivot;
            else
                lo = above(pivot);
        }
    }

    // Values between which the ranks most probably lie: three standard deviations of a sample's ranks to both sides.
    Pair bracket(std::int64_t low, std::int64_t high) const {
        std::array<double, most_sampled> sample;
        const std::int64_t n = keys_.column.count, wanted = n < 64 * most_sampled ? most_sampled / 2 : most_sampled;
        std::int64_t m = 0;
        for (std::int64_t i = 0; i < wanted; ++i) {
            const std::int64_t start = i * n / wanted, stop = (i + 1) * n / wanted;
            const double v = keys_.at(start + jitter(i, stop - start));
            if (v == v) sample[static_cast<std::size_t>(m++)] = v;
        }
        if (m == 0) return {-infinity, infinity};
        const auto margin = static_cast<std::int64_t>(1.5 * std::sqrt(static_cast<double>(m)));
        const auto place = [&](std::int64_t rank, std::int64_t by) {
            const auto near = static_cast<std::int64_t>(static_cast<double>(rank) / static_cast<double>(n) * static_cast<double>(m));
            return std::clamp<std::int64_t>(near + by, 0, m - 1);
        };
        const auto first = sample.begin(), last = first + m;
        const auto lower = first + place(low, -margin), upper = first + place(high, margin);
        std::nth_element(first, lower, last);
        const double lo = *lower;
        std::nth_element(lower, upper, last);
        return {lo, *upper};
    }

    double quick_pivot() const {
        std::array<K, 255> sample;
        const auto m = static_cast<std::int64_t>(sample.size());
        for (std::int64_t i = 0; i < m; ++i) {
            const std::int64_t start = i * capacity_ / m, stop = (i + 1) * capacity_ / m;
            sample[static_cast<std::size_t>(i)] = kept_[start + jitter(i, stop - start)];
        }
        std::nth_element(sample.begin(), sample.begin() + m / 2, sample.end());
        return static_cast<double>(sample[static_cast<std::size_t>(m / 2)]);
    }

    double partitioned(std::int64_t count, std::int64_t rank) {
        std::nth_element(kept_, kept_ + rank, kept_ + count);
        return static_cast<double>(kept_[rank]);
    }

    static double below(double v) { return static_cast<double>(std::nextafter(static_cast<K>(v), -std::numeric_limits<K>::infinity())); }
    static double above(double v) { return static_cast<double>(std::nextafter(static_cast<K>(v), std::numeric_limits<K>::infinity())); }

    Keys keys_;
    K* kept_;
    std::int64_t capacity_;
    std::byte* rest_;
};

std::optional<double> median_of(const Keys& keys, const SelectScratch& scratch) {
    const std::int64_t n = keys.column.count, low = (n - 1) / 2, high = n / 2;
    if (n == 0) return std::nullopt;
    const std::optional<Pair> found = single_keys(keys.column.type, keys.deviation)
                                          ? Selection<float>(keys, scratch.data()).pair(low, high)
                                          : Selection<double>(keys, scratch.data()).pair(low, high);
    if (!found) return std::nullopt;
    return low == high ? found->low : (found->low + found->high) / 2;
}

template <class S, class D>
void gather_tile(const ConstSamples& in, std::int64_t first, std::int64_t columns, D* out) {
    const S* src = static_cast<const S*>(in.data) + first;
    constexpr std::int64_t rows = 64;  // of a strip that stays in the nearest cache
    for (std::int64_t start = 0; start < in.count; start += rows) {
        const std::int64_t stop = std::min(in.count, start + rows);
        for (std::int64_t c = 0; c < columns; ++c)
            for (std::int64_t i = start; i < stop; ++i) out[c * in.count + i] = static_cast<D>(src[i * in.channels + c]);
    }
}

std::int64_t tile_of(SampleType type, std::int64_t channels) {
    const bool direct = channels == 1 && type != SampleType::i64 && type != SampleType::u64;
    return direct ? 0 : std::min<std::int64_t>(16, (channels + 3) / 4);
}

}  // namespace

double value_at(const Column& column, std::int64_t i) {
    switch (column.type) {
        case SampleType::i8: return static_cast<const std::int8_t*>(column.data)[i];
        case SampleType::u8: return static_cast<const std::uint8_t*>(column.data)[i];
        case SampleType::i16: return static_cast<const std::int16_t*>(column.data)[i];
        case SampleType::u16: return static_cast<const std::uint16_t*>(column.data)[i];
        case SampleType::i32: return static_cast<const std::int32_t*>(column.data)[i];
        case SampleType::u32: return static_cast<const std::uint32_t*>(column.data)[i];
        case SampleType::f32: return static_cast<double>(static_cast<const float*>(column.data)[i]);
        default: return static_cast<const double*>(column.data)[i];
    }
}

SelectScratch::SelectScratch(std::int64_t count) : data_(new std::byte[static_cast<std::size_t>(bytes(count))]) {}

std::int64_t SelectScratch::bytes(std::int64_t count) { return scratch_bytes(count); }

std::optional<double> select_median(const Column& column, const SelectScratch& scratch) { return median_of({column}, scratch); }

std::optional<double> select_median_distance(const Column& column, double center, const SelectScratch& scratch) {
    return median_of({column, true, center}, scratch);
}

double standard_deviation(const Column& column) {
    const auto n = static_cast<double>(column.count);
    const double mean = kernels().moment({column.data, column.type, column.count, 0.0, false}) / n;
    return std::sqrt(kernels().moment({column.data, column.type, column.count, mean, true}) / n);
}

Columns::Columns(const ConstSamples& samples)
    : samples_(samples),
      type_(samples.type == SampleType::i64 || samples.type == SampleType::u64 ? SampleType::f64 : samples.type),
      tile_(tile_of(samples.type, samples.channels)), direct_(tile_ == 0) {
    if (!direct_) data_.reset(new std::byte[static_cast<std::size_t>(tile_ * samples.count) * item_size(type_)]);
}

std::int64_t Columns::bytes(SampleType type, std::int64_t count, std::int64_t channels) {
    return tile_of(type, channels) * count * static_cast<std::int64_t>(std::max<std::size_t>(item_size(type), 1));
}

Column Columns::operator[](std::int64_t channel) {
    if (direct_) return {samples_.data, type_, samples_.count};
    if (first_ < 0 || channel < first_ || channel >= first_ + tile_) fill(channel / tile_ * tile_);
    return {data_.get() + static_cast<std::size_t>((channel - first_) * samples_.count) * item_size(type_), type_, samples_.count};
}

void Columns::fill(std::int64_t first) {
    first_ = first;
    const std::int64_t columns = std::min(tile_, samples_.channels - first);
    std::byte* out = data_.get();
    switch (samples_.type) {
        case SampleType::i64: return gather_tile<std::int64_t>(samples_, first, columns, reinterpret_cast<double*>(out));
        case SampleType::u64: return gather_tile<std::uint64_t>(samples_, first, columns, reinterpret_cast<double*>(out));
        case SampleType::f64: return gather_tile<double>(samples_, first, columns, reinterpret_cast<double*>(out));
        case SampleType::f32: return gather_tile<float>(samples_, first, columns, reinterpret_cast<float*>(out));
        case SampleType::i32: return gather_tile<std::int32_t>(samples_, first, columns, reinterpret_cast<std::int32_t*>(out));
        case SampleType::u32: return gather_tile<std::uint32_t>(samples_, first, columns, reinterpret_cast<std::uint32_t*>(out));
        case SampleType::i16: return gather_tile<std::int16_t>(samples_, first, columns, reinterpret_cast<std::int16_t*>(out));
        case SampleType::u16: return gather_tile<std::uint16_t>(samples_, first, columns, reinterpret_cast<std::uint16_t*>(out));
        case SampleType::i8: return gather_tile<std::int8_t>(samples_, first, columns, reinterpret_cast<std::int8_t*>(out));
        default: return gather_tile<std::uint8_t>(samples_, first, columns, reinterpret_cast<std::uint8_t*>(out));
    }
}

void medians(const ConstSamples& samples, std::span<double> out) {
    Columns columns(samples);
    const SelectScratch scratch(samples.count);
    for (std::int64_t c = 0; c < samples.channels; ++c)
        out[static_cast<std::size_t>(c)] = select_median(columns[c], scratch).value_or(std::numeric_limits<double>::quiet_NaN());
}

std::int64_t medians_workspace_bytes(SampleType type, std::int64_t count, std::int64_t channels) {
    return Columns::bytes(type, count, channels) + SelectScratch::bytes(count);
}

}  // namespace headrace
