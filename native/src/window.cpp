// A window kept in order: a binary search finds where a value leaves or comes, one move of the values between makes room.
#include <algorithm>
#include <cmath>

#include "headrace/select.hpp"
#include "headrace/threshold.hpp"

namespace headrace {

void SortedWindow::assign(std::span<const double> values) {
    sorted_.assign(values.begin(), values.end());
    std::sort(sorted_.begin(), sorted_.end());
}

void SortedWindow::insert(double v) { sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), v), v); }

void SortedWindow::remove(double v) { sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), v)); }

void SortedWindow::replace(double leaving, double coming) {
    const auto from = std::lower_bound(sorted_.begin(), sorted_.end(), leaving);
    const auto to = std::lower_bound(sorted_.begin(), sorted_.end(), coming);
    if (to > from) {
        std::move(from + 1, to, from);
        *(to - 1) = coming;
    } else {
        std::move_backward(to, from, from + 1);
        *to = coming;
    }
}

double SortedWindow::median() const {
    const std::size_t n = sorted_.size();
    return n % 2 == 1 ? sorted_[n / 2] : (sorted_[n / 2 - 1] + sorted_[n / 2]) / 2;
}

// The rank + 1 values nearest to the center are neighbours: of all stretches of that length, the one whose farther end is nearest. Its
// left end's distance falls and its right end's rises as it moves to the right.
double SortedWindow::distance_of_rank(double center, std::int64_t rank) const {
    const auto farther = [&](std::int64_t a) {
        return std::max(std::fabs(sorted_[static_cast<std::size_t>(a)] - center), std::fabs(sorted_[static_cast<std::size_t>(a + rank)] - center));
    };
    std::int64_t first = 0, last = size() - rank - 1;  // the best stretch starts at the first place where right >= left, or just before
    while (first < last) {
        const std::int64_t middle = (first + last) / 2;
        if (sorted_[static_cast<std::size_t>(middle + rank)] - center >= center - sorted_[static_cast<std::size_t>(middle)])
            last = middle;
        else
            first = middle + 1;
    }
    return first == 0 ? farther(0) : std::min(farther(first), farther(first - 1));
}

double SortedWindow::median_distance(double center) const {
    const std::int64_t n = size();
    const double high = distance_of_rank(center, n / 2);
    return n % 2 == 1 ? high : (distance_of_rank(center, n / 2 - 1) + high) / 2;
}

double SortedWindow::standard_deviation() const { return headrace::standard_deviation({sorted_.data(), SampleType::f64, size()}); }

}  // namespace headrace
