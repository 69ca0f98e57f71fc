// The whole test framework: CHECK counts, report() is main's return value.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

namespace check {

inline int failures = 0;

inline void that(bool ok, const char* what, const char* file, int line, const std::string& where) {
    if (ok) return;
    ++failures;
    std::fprintf(stderr, "%s:%d: %s  [%s]\n", file, line, what, where.c_str());
}

inline int report() {
    std::printf("%d failures\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

template <class Error, class F>
bool throws(F&& f) {
    try {
        f();
    } catch (const Error&) {
        return true;
    }
    return false;
}

// Deterministic values in [-1, 1): SplitMix64.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t bits() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    double unit() { return static_cast<double>(static_cast<std::int64_t>(bits())) / 9223372036854775808.0; }
    template <class T>
    T value() {
        if constexpr (std::is_integral_v<T>)
            return static_cast<T>(bits());
        else
            return static_cast<T>(unit());
    }

private:
    std::uint64_t state_;
};

// Exactly `count` elements on the heap: AddressSanitizer sees the first byte beyond them.
template <class T>
struct Buffer {
    explicit Buffer(std::int64_t n) : size(n), data(std::make_unique<T[]>(static_cast<std::size_t>(n))) {}
    T& operator[](std::int64_t i) { return data[static_cast<std::size_t>(i)]; }
    const T& operator[](std::int64_t i) const { return data[static_cast<std::size_t>(i)]; }
    bool same_bytes(const Buffer& other) const {
        return size == other.size && (size == 0 || std::memcmp(data.get(), other.data.get(), static_cast<std::size_t>(size) * sizeof(T)) == 0);
    }
    std::int64_t size;
    std::unique_ptr<T[]> data;
};

}  // namespace check

#define CHECK(condition, where) check::that((condition), #condition, __FILE__, __LINE__, (where))
