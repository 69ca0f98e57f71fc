// Roots of unity of any order, from two short tables.
#pragma once
#include <cstdint>
#include <vector>

#include "headrace/kernels.hpp"

namespace headrace {

// exp(-2 pi i e / n) for 0 <= e < n as the product of two entries, one for the upper and one for the lower bits of e. Entries are evaluated
// in long double and rounded once, so that a root is good to two roundings. Immutable.
class Roots {
public:
    // Throws std::invalid_argument unless 1 <= n <= 2^50.
    explicit Roots(std::int64_t n);

    std::int64_t order() const { return view_.order; }
    std::int64_t bytes() const { return static_cast<std::int64_t>(sizeof(double) * (high_.size() + low_.size())); }
    const RootTables& view() const { return view_; }

private:
    std::vector<double> high_, low_;
    RootTables view_;
};

}  // namespace headrace
