// Samples beyond the ends of a signal.

// Which of the n samples stands at position i, or -1 for the constant.
static std::int64_t border_place(std::int64_t i, std::int64_t n, Border border) {
    if (i >= 0 && i < n) return i;
    if (border == Border::constant) return -1;
    if (border == Border::nearest) return i < 0 ? 0 : n - 1;
    if (n == 1) return 0;
    const std::int64_t period = border == Border::reflect ? 2 * n : 2 * n - 2;
    std::int64_t k = i % period;
    if (k < 0) k += period;
    return k < n ? k : (border == Border::reflect ? period - 1 : period) - k;
}
