// Runs of samples beyond median +- k * noise, of fixed blocks or of windows around each sample.
#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "headrace/kernels.hpp"

namespace headrace {

enum class Noise { mad, std };
enum class Polarity { both, pos, neg };
enum class Missing { raise, ignore, gap };  // what becomes of NaN

struct ThresholdRule {
    double k = 0;
    Noise noise = Noise::mad;
    Polarity polarity = Polarity::both;
    Missing missing = Missing::raise;
    std::int64_t window = 0;  // 0: the block itself is the window of all its samples
};

// A run of samples, or what of it lies in one block. Mirrored by PIECE of signals/events/pieces.py.
struct Piece {
    std::int64_t start = 0, end = 0, peak = 0;
    double amplitude = 0, distance = 0;  // value of the sample at `peak`, and how far it is from its median
    std::int32_t channel = 0;
    std::uint32_t flags = 0;
};
static_assert(sizeof(Piece) == 48);
constexpr std::uint32_t open_left = 1;   // no sample that is not NaN precedes it in the block
constexpr std::uint32_t open_right = 2;  // none follows
constexpr std::uint32_t after_gap = 4;   // Missing::gap: a NaN lies between it and what came before, in this block

// What a later block must know of a channel beside its pieces.
constexpr std::uint8_t no_samples = 1;  // all NaN
constexpr std::uint8_t ends_in_gap = 2; // Missing::gap: a NaN follows the last piece

// Takes pieces that are too many to keep; called with at least one.
using Overflow = std::function<void(std::span<const Piece>)>;

struct Found {
    std::vector<Piece> pieces;  // channel by channel, rising; the last ones, if there was an overflow
    std::vector<std::uint8_t> states;  // one for each channel
    std::int64_t nan_sample = -1, nan_channel = -1;  // Missing::raise: the first NaN of the first channel that has one
};

// Judges samples [start, stop) of `samples`, which holds their windows too, as far as the signal goes. Indices are those of `samples`.
// Whenever `most` pieces are found, and more, `overflow` is called with them.
Found find_beyond(const ThresholdRule& rule, const ConstSamples& samples, std::int64_t start, std::int64_t stop,
                  std::size_t most = std::numeric_limits<std::size_t>::max(), const Overflow& overflow = {});

// Bytes that one call allocates at most, beside what it returns.
std::int64_t find_beyond_workspace_bytes(const ThresholdRule& rule, SampleType type, std::int64_t count, std::int64_t channels);

// median and noise of the values that a sliding window holds, in order; see window.cpp.
class SortedWindow {
public:
    explicit SortedWindow(std::int64_t most) { sorted_.reserve(static_cast<std::size_t>(most)); }
    void assign(std::span<const double> values);
    void insert(double v);
    void replace(double leaving, double coming);
    void remove(double v);
    std::int64_t size() const { return static_cast<std::int64_t>(sorted_.size()); }
    double median() const;
    double median_distance(double center) const;
    double standard_deviation() const;

private:
    double distance_of_rank(double center, std::int64_t rank) const;
    std::vector<double> sorted_;
};

}  // namespace headrace
