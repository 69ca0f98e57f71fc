// Exact order statistics of columns, by sampling a bracket around the wanted rank and sifting out what lies in it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "headrace/kernels.hpp"

namespace headrace {

// `count` consecutive real values; of any type but 64-bit integers (see `Columns`, which widens those).
struct Column {
    const void* data = nullptr;
    SampleType type = SampleType::f32;
    std::int64_t count = 0;
};

// As float64.
double value_at(const Column& column, std::int64_t i);

// Memory for selections in columns of up to `count` values; used again by each.
class SelectScratch {
public:
    explicit SelectScratch(std::int64_t count);
    static std::int64_t bytes(std::int64_t count);
    std::byte* data() const { return data_.get(); }

private:
    std::unique_ptr<std::byte[]> data_;
};

// The median as numpy.median gives it in float64: for an even count the mean of the two middle values. None where a value is NaN, and
// for no values.
std::optional<double> select_median(const Column& column, const SelectScratch& scratch);

// The median of |x - center|, rounded to float64 each; `center` is finite.
std::optional<double> select_median_distance(const Column& column, double center, const SelectScratch& scratch);

// sqrt(mean((x - mean(x))^2)) in float64, in two passes.
double standard_deviation(const Column& column);

// The channels of a block as contiguous columns, a tile of them at a time. 64-bit integers become float64.
class Columns {
public:
    explicit Columns(const ConstSamples& samples);
    static std::int64_t bytes(SampleType type, std::int64_t count, std::int64_t channels);
    Column operator[](std::int64_t channel);  // valid until another tile's channel is asked for; ask in rising order

private:
    void fill(std::int64_t first);
    ConstSamples samples_;
    SampleType type_;
    std::int64_t tile_ = 1, first_ = -1;
    bool direct_ = false;
    std::unique_ptr<std::byte[]> data_;
};

// The median of each channel, NaN where one of its values is, or where there are none.
void medians(const ConstSamples& samples, std::span<double> out);
std::int64_t medians_workspace_bytes(SampleType type, std::int64_t count, std::int64_t channels);

}  // namespace headrace
