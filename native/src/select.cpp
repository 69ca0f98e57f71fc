#include "headrace/select.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

namespace headrace {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t small = 2048;     // up to here a column is copied and partitioned as it is
constexpr std::int64_t most_sampled = 4096;
constexpr int quick_rounds = 8;
constexpr std::int64_t slack = 16;       // elements that a sift may write beyond its capacity

bool single_keys(SampleType type) { return type < SampleType::i32 || type == SampleType::f32; }

// What a bracket keeps: about a twentieth of a long column, a tenth of a shorter one.
constexpr std::int64_t long_column = 1 << 18;
std::int64_t kept_most(std::int64_t n) { return n <= small ? n : n < long_column ? n / 8 + 64 : n / 14; }
std::int64_t kept_bytes(std::int64_t n) { return (kept_most(n) + slack) * static_cast<std::int64_t>(sizeof(double)); }

// What no column of up to n values exceeds: the bracket of a shorter one may keep more.
std::int64_t kept_most_to(std::int64_t n) {
    return std::max({kept_most(n), kept_most(std::min(n, small)), kept_most(std::min(n, long_column - 1))});
}

// For a selection in a column of up to n values, and those that it makes of what it kept; a selection by distance keeps values, and makes
// distances of them. Never less for more values.
std::int64_t scratch_bytes(std::int64_t n) {
    const auto kept_bytes_to = [](std::int64_t count) { return (kept_most_to(count) + slack) * static_cast<std::int64_t>(sizeof(double)); };
    std::int64_t total = 2 * kept_bytes_to(n);
    do {
        n = kept_most_to(n);
        total += kept_bytes_to(n);
    } while (n > small);
    return total;
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

// Where doubles, or floats, lie in their order: consecutive numbers for consecutive values.
template <class K>
using Place = std::conditional_t<sizeof(K) == 4, std::int32_t, std::int64_t>;
template <class K>
Place<K> place_of(K v) {
    const auto bits = std::bit_cast<Place<K>>(v);
    return bits >= 0 ? bits : std::numeric_limits<Place<K>>::min() - bits;
}
template <class K>
K value_of(Place<K> place) {
    return std::bit_cast<K>(place >= 0 ? place : static_cast<Place<K>>(std::numeric_limits<Place<K>>::min() - place));
}

// The first value in [from, to] for which `holds`, which from there on holds for all; `to` if for none before it.
template <class K, class Predicate>
K first_where(K from, K to, Predicate holds) {
    Place<K> a = place_of(from), b = place_of(to);
    while (a < b) {
        const Place<K> middle = static_cast<Place<K>>((a & b) + ((a ^ b) >> 1));  // rounds down and cannot overflow
        if (holds(value_of<K>(middle)))
            b = middle;
        else
            a = middle + 1;
    }
    return value_of<K>(a);
}

// Selection from a column by value, or by distance from a center. As distances fall up to the center and rise from there, also rounded
// ones, those in [lo, hi] are the values of two intervals, which are found exactly; so no distance is computed but of what is kept.
template <class K>
class Selection {
    static constexpr K most = std::numeric_limits<K>::infinity();

public:
    Selection(const Column& column, std::byte* scratch, std::optional<double> center = {})
        : column_(column), center_(center), kept_(reinterpret_cast<K*>(scratch)), capacity_(kept_most(column.count)),
          rest_(scratch + kept_bytes(column.count)) {}

    // The keys of ranks low and high, of which high is low or low + 1. None where a value is NaN.
    std::optional<Pair> pair(std::int64_t low, std::int64_t high) {
        const auto [lo, hi] = column_.count <= small ? Pair{-infinity, infinity} : bracket(low, high);
        const SiftJob job = sift(lo, hi);
        if (job.missing != 0) return std::nullopt;
        const std::int64_t end = job.inner + job.within;
        if (low < job.inner || high >= end || job.within > capacity_) {
            if (lo == hi && low >= job.inner && high < end) return Pair{lo, lo};
            const auto one = [&](std::int64_t rank) {
                if (rank < job.inner) return within(rank, -infinity, below(lo));
                return rank < end ? within(rank, lo, hi) : within(rank, above(hi), infinity);
            };
            const double first = one(low);
            if (low == high) return Pair{first, first};
            const SiftJob equal = sift(first, first);
            return Pair{first, high < equal.inner + equal.within ? first : one(high)};
        }
        return of_kept(job.within, low - job.inner, high - job.inner);
    }

private:
    double key(double v) const { return center_ ? std::fabs(v - *center_) : v; }

    // Keys below lo are counted, those in [lo, hi] kept.
    SiftJob sift(double lo, double hi) {
        SiftJob job{column_.data, column_.type, column_.count, -infinity, below(lo), -infinity, hi, kept_, capacity_};
        if (lo == -infinity) job.hole_lo = infinity;  // nothing lies below: an empty hole
        if (center_) {
            const K middle = static_cast<K>(*center_);  // within rounding: both searches begin on the other's side
            const K left = std::nextafter(middle, -most), right = std::nextafter(middle, most);
            const auto nearer = [&](double limit) {  // the values whose distance is at most, or less than, the limit: [first, second)
                return std::pair{first_where<K>(-most, right, [&](K v) { return key(v) <= limit || v > *center_; }),
                                 first_where<K>(left, most, [&](K v) { return key(v) > limit && v > *center_; })};
            };
            const auto [first, last] = nearer(hi);
            job.lo = first;
            job.hi = key(last) <= hi ? last : std::nextafter(last, -most);
            job.hole_lo = infinity;
            job.hole_hi = -infinity;
            if (lo > 0) {
                const auto [hole_first, hole_last] = nearer(std::nextafter(lo, -infinity));
                job.hole_lo = hole_first;
                job.hole_hi = std::nextafter(hole_last, -most);
            }
        }
        kernels().sift(job);
        return job;
    }

    // The ranks among the keys of what was kept.
    Pair of_kept(std::int64_t count, std::int64_t low, std::int64_t high) {
        if (center_) {
            double* distances = reinterpret_cast<double*>(rest_);
            for (std::int64_t i = 0; i < count; ++i) distances[i] = key(static_cast<double>(kept_[i]));
            return *Selection<double>({distances, SampleType::f64, count}, rest_ + kept_bytes(column_.count)).pair(low, high);
        }
        if (count > small) return *Selection<K>({kept_, sizeof(K) == 4 ? SampleType::f32 : SampleType::f64, count}, rest_).pair(low, high);
        std::nth_element(kept_, kept_ + high, kept_ + count);
        const auto second = static_cast<double>(kept_[high]);
        return {low == high ? second : static_cast<double>(*std::max_element(kept_, kept_ + high)), second};
    }

    // The key of a rank that is known to lie in [lo, hi]. After some rounds with quick pivots, each puts aside half of what was kept, so
    // that no signal takes many.
    double within(std::int64_t rank, double lo, double hi) {
        for (int round = 0;; ++round) {
            const SiftJob job = sift(lo, hi);
            if (job.within <= capacity_) return of_kept(job.within, rank - job.inner, rank - job.inner).low;
            const double pivot = round < quick_rounds ? quick_pivot() : of_kept(capacity_, capacity_ / 2, capacity_ / 2).low;
            const SiftJob equal = sift(pivot, pivot);
            if (rank < equal.inner)
                hi = below(pivot);
            else if (rank < equal.inner + equal.within)
                return pivot;
            else
                lo = above(pivot);
        }
    }

    // Keys between which the ranks most probably lie: three standard deviations of a sample's ranks to both sides.
    Pair bracket(std::int64_t low, std::int64_t high) const {
        std::array<double, most_sampled> sample;
        const std::int64_t n = column_.count, wanted = n < long_column ? most_sampled / 4 : most_sampled;
        std::int64_t m = 0;
        for (std::int64_t i = 0; i < wanted; ++i) {
            const std::int64_t start = i * n / wanted, stop = (i + 1) * n / wanted;
            const double v = key(value_at(column_, start + jitter(i, stop - start)));
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
        std::array<double, 255> sample;
        const auto m = static_cast<std::int64_t>(sample.size());
        for (std::int64_t i = 0; i < m; ++i) {
            const std::int64_t start = i * capacity_ / m, stop = (i + 1) * capacity_ / m;
            sample[static_cast<std::size_t>(i)] = key(static_cast<double>(kept_[start + jitter(i, stop - start)]));
        }
        std::nth_element(sample.begin(), sample.begin() + m / 2, sample.end());
        return sample[static_cast<std::size_t>(m / 2)];
    }

    // The next key below or above: by distance keys are doubles.
    double below(double v) const {
        return center_ ? std::nextafter(v, -infinity) : static_cast<double>(std::nextafter(static_cast<K>(v), -most));
    }
    double above(double v) const {
        return center_ ? std::nextafter(v, infinity) : static_cast<double>(std::nextafter(static_cast<K>(v), most));
    }

    Column column_;
    std::optional<double> center_;
    K* kept_;
    std::int64_t capacity_;
    std::byte* rest_;
};

std::optional<double> median_of(const Column& column, const SelectScratch& scratch, std::optional<double> center) {
    const std::int64_t n = column.count, low = (n - 1) / 2, high = n / 2;
    if (n == 0) return std::nullopt;
    const std::optional<Pair> found = single_keys(column.type) ? Selection<float>(column, scratch.data(), center).pair(low, high)
                                                               : Selection<double>(column, scratch.data(), center).pair(low, high);
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

std::optional<double> select_median(const Column& column, const SelectScratch& scratch) { return median_of(column, scratch, {}); }

std::optional<double> select_median_distance(const Column& column, double center, const SelectScratch& scratch) {
    return median_of(column, scratch, center);
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
