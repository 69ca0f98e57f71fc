#include "headrace/roots.hpp"

#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace headrace {

namespace {

void fill(std::vector<double>& table, std::int64_t n, int shift) {
    for (std::size_t i = 0; i < table.size() / 2; ++i) {
        const auto exponent = static_cast<long double>(static_cast<std::int64_t>(i) << shift);
        const long double angle = 2 * std::numbers::pi_v<long double> * exponent / static_cast<long double>(n);
        table[2 * i] = static_cast<double>(std::cos(angle));
        table[2 * i + 1] = static_cast<double>(-std::sin(angle));
    }
}

}  // namespace

Roots::Roots(std::int64_t n) {
    if (n < 1 || n > std::int64_t{1} << 50) throw std::invalid_argument("roots of unity are of order 1 to 2^50");
    const int shift = (std::bit_width(static_cast<std::uint64_t>(n)) + 1) / 2;
    low_.resize(std::size_t{2} << shift);
    high_.resize(static_cast<std::size_t>(2 * ((n >> shift) + 1)));
    fill(low_, n, 0);
    fill(high_, n, shift);
    view_ = {n, shift, high_.data(), low_.data()};
}

}  // namespace headrace
