// What the passes of a long transform do to rows and tiles, on every copy: against the formulas in long double, wherever blocks begin.
#include <cerrno>
#include <cmath>
#include <complex>
#include <cstdio>
#include <numbers>
#include <stdexcept>
#include <unistd.h>
#include <vector>

#include "check.hpp"
#include "headrace/four_step.hpp"
#include "headrace/isa.hpp"
#include "headrace/row_io.hpp"

namespace {

using namespace headrace;
using check::Buffer;
using Wide = std::complex<long double>;

Wide root(__int128 exponent, std::int64_t n) {
    const auto e = static_cast<long double>(static_cast<std::int64_t>(exponent % n));
    return std::polar(1.0L, -2 * std::numbers::pi_v<long double> * e / static_cast<long double>(n));
}

template <class T>
constexpr SampleType complex_type = sizeof(T) == 4 ? SampleType::c64 : SampleType::c128;

template <class T>
Buffer<std::complex<T>> noise(std::int64_t n) {
    check::Random random(static_cast<std::uint64_t>(n));
    Buffer<std::complex<T>> x(n);
    for (std::int64_t i = 0; i < n; ++i) x[i] = {static_cast<T>(random.unit()), static_cast<T>(random.unit())};
    return x;
}

template <class T>
bool near(std::complex<T> found, Wide want, long double size) {
    const long double limit = size * (sizeof(T) == 4 ? 1e-7L : 2e-15L);
    return std::abs(Wide(found.real(), found.imag()) - want) <= limit;
}

void roots_are_good() {
    for (const std::int64_t n : {1, 2, 3, 97, 4096, 100003, 250000000}) {
        const Roots roots(n);
        const RootTables& view = roots.view();
        for (std::int64_t e = 0; e < n; e += std::max<std::int64_t>(1, n / 997)) {
            const double* high = view.high + 2 * (e >> view.shift);
            const double* low = view.low + 2 * (e & ((std::int64_t{1} << view.shift) - 1));
            const std::complex<double> found(high[0] * low[0] - high[1] * low[1], high[0] * low[1] + high[1] * low[0]);
            CHECK(near<double>(found, root(e, n), 0.3L), "root " + std::to_string(e) + " of " + std::to_string(n));
        }
        CHECK(roots.bytes() < 80 * std::sqrt(static_cast<double>(n)) + 200, "bytes");
    }
    CHECK(check::throws<std::invalid_argument>([] { Roots(0); }), "order 0");
    CHECK(check::throws<std::invalid_argument>([] { Roots((std::int64_t{1} << 50) + 1); }), "order");
}

template <class T>
void tiles(std::int64_t rows, std::int64_t columns, std::int64_t column, std::int64_t side, bool inverse) {
    const std::int64_t n = std::max<std::int64_t>(1, rows) * (column + columns + 3), groups = (rows + side - 1) / side;
    const auto x = noise<T>(rows * columns);
    Buffer<std::complex<T>> out(groups * columns * side);
    for (std::int64_t i = 0; i < out.size; ++i) out[i] = {T(7), T(7)};
    const Roots roots(n);
    twiddle_tiles({x.data.get(), out.data.get(), complex_type<T>, rows, columns, column, side}, roots, inverse);
    for (std::int64_t k = 0; k < groups * side; ++k)
        for (std::int64_t i = 0; i < columns; ++i) {
            const std::complex<T> found = out[(k / side * columns + i) * side + k % side];
            if (k >= rows) {
                CHECK(found == std::complex<T>(), "beyond the last row");
                continue;
            }
            Wide w = root(static_cast<__int128>(k) * (column + i), n);
            if (inverse) w = std::conj(w);
            const std::complex<T> from = x[k * columns + i];
            CHECK(near<T>(found, Wide(from.real(), from.imag()) * w, 2), "row " + std::to_string(k) + " column " + std::to_string(i));
        }
}

// A block's values are those of the same columns in any other block.
void blocks_do_not_matter() {
    const std::int64_t rows = 37, columns = 80, side = 16;
    const auto x = noise<float>(rows * columns);
    const Roots roots(rows * columns);
    Buffer<std::complex<float>> whole(48 * columns);
    twiddle_tiles({x.data.get(), whole.data.get(), SampleType::c64, rows, columns, 0, side}, roots, false);
    for (const std::int64_t first : {0, 16, 48})
        for (const std::int64_t count : {5, 16, 32}) {
            Buffer<std::complex<float>> some(rows * count), out(48 * count);
            for (std::int64_t k = 0; k < rows; ++k)
                for (std::int64_t i = 0; i < count; ++i) some[k * count + i] = x[k * columns + first + i];
            twiddle_tiles({some.data.get(), out.data.get(), SampleType::c64, rows, count, first, side}, roots, false);
            for (std::int64_t k = 0; k < 48; ++k)
                for (std::int64_t i = 0; i < count; ++i)
                    CHECK(out[(k / side * count + i) * side + k % side] == whole[(k / side * columns + first + i) * side + k % side], "block");
        }
}

template <class T>
void placed(std::int64_t rows, std::int64_t width, std::int64_t side, bool mirrored) {
    const std::int64_t kept = mirrored ? width / 2 + 1 : width, groups = (kept + side - 1) / side;
    const auto tiles = noise<T>(groups * rows * side), mirror = noise<T>(groups * rows * side + 1);
    Buffer<std::complex<T>> out(rows * width);
    rows_of_tiles({tiles.data.get(), mirrored ? mirror.data.get() : nullptr, out.data.get(), complex_type<T>, rows, width, kept, side});
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t k = 0; k < width; ++k) {
            const std::int64_t place = k < kept ? k : width - k;
            const std::int64_t at = (place / side * rows + (k < kept ? r : rows - 1 - r)) * side + place % side;
            CHECK(out[r * width + k] == (k < kept ? tiles[at] : std::conj(mirror[at])), "place " + std::to_string(k));
        }
}

template <class S, class D>
void chirped(SampleType in_type, SampleType out_type, bool inverse) {
    const std::int64_t n = 1000003, rows = 3, columns = 40, apart = 57;
    const Roots roots(2 * n);
    for (const std::int64_t start : {std::int64_t{0}, n - 60, -n - 5, std::int64_t{-20}, n + 10, std::int64_t{500000}}) {
        Buffer<S> x(rows * columns);
        check::Random random(5);
        for (std::int64_t i = 0; i < x.size; ++i) x[i] = S(static_cast<float>(random.unit()));
        Buffer<D> out(rows * columns);
        chirp({x.data.get(), in_type, out.data.get(), out_type, rows, columns, start, apart, 0.5}, roots, inverse);
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t i = 0; i < columns; ++i) {
                const std::int64_t j = start + r * apart + i;
                Wide want = Wide(std::complex<double>(x[r * columns + i])) * 0.5L * root(static_cast<__int128>(j) * j, 2 * n);
                if (inverse) want = Wide(std::complex<double>(x[r * columns + i])) * 0.5L * std::conj(root(static_cast<__int128>(j) * j, 2 * n));
                if (j <= -n || j >= n) want = 0;
                const std::complex<double> found(out[r * columns + i]);
                const long double size = sizeof(D) == sizeof(std::complex<float>) && out_type == SampleType::c64 ? 1e8L : 1;
                if (out_type == SampleType::f64) want = want.real();
                CHECK(near<double>(found, want, size), "j " + std::to_string(j));
            }
    }
}

void rows_in_files() {
    std::FILE* file = std::tmpfile();
    const int fd = fileno(file);
    std::vector<char> x(30), y(30, 0), longer(33);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<char>(i + 1);
    CHECK(write_rows({fd, 5, 20, 3, 10}, x.data()) == 0, "written");
    CHECK(read_rows({fd, 5, 20, 3, 10}, y.data()) == 0, "read");
    CHECK(x == y, "the same");
    CHECK(read_rows({fd, 15, 10, 1, 10}, y.data()) == 0 && y[0] == 0, "a gap");
    CHECK(read_rows({fd, 5, 20, 3, 11}, longer.data()) == -1, "beyond the end");
    CHECK(read_rows({fd, 0, 0, 0, 10}, y.data()) == 0, "no rows");
    CHECK(read_rows({-1, 0, 0, 1, 1}, y.data()) == EBADF, "no file");
    CHECK(check::throws<std::invalid_argument>([&] { read_rows({fd, -1, 0, 1, 1}, y.data()); }), "before the file");
    CHECK(check::throws<std::invalid_argument>([&] { read_rows({fd, 1, INT64_MAX, 3, 1}, y.data()); }), "beyond all files");
    std::fclose(file);
}

void refused() {
    std::complex<float> x[8], y[64];
    const Roots roots(8), odd(7);
    const auto twiddle = [&](Tiles tiles) { return check::throws<std::invalid_argument>([&] { twiddle_tiles(tiles, roots, false); }); };
    CHECK(!twiddle({x, y, SampleType::c64, 2, 4, 0, 16}), "accepted");
    CHECK(twiddle({x, y, SampleType::f32, 2, 4, 0, 16}), "real");
    CHECK(twiddle({x, y, SampleType::c64, 2, 4, 3, 16}), "column");
    CHECK(twiddle({x, y, SampleType::c64, 3, 5, 0, 16}), "exponent");
    CHECK(twiddle({x, y, SampleType::c64, 2, 4, 0, 0}), "side");
    const auto rows = [&](Rows r) { return check::throws<std::invalid_argument>([&] { rows_of_tiles(r); }); };
    CHECK(!rows({x, x, y, SampleType::c64, 2, 4, 3, 4}), "accepted");
    CHECK(rows({x, x, y, SampleType::c64, 2, 4, 2, 4}), "too few kept");
    CHECK(rows({x, nullptr, y, SampleType::c64, 2, 4, 5, 4}), "too many kept");
    CHECK(rows({x, x, y, SampleType::f32, 2, 4, 3, 4}), "mirrored reals");
    CHECK(rows({x, nullptr, y, SampleType::i16, 2, 4, 4, 4}), "integers");
    CHECK(check::throws<std::invalid_argument>([&] { chirp({nullptr, SampleType::c64, y, SampleType::c64, 1, 2, 0, 0, 1}, odd, false); }), "odd");
    CHECK(check::throws<std::invalid_argument>([&] { chirp({x, SampleType::i16, y, SampleType::c64, 1, 2, 0, 0, 1}, roots, false); }), "ints");
    CHECK(check::throws<std::invalid_argument>([&] { chirp({x, SampleType::c64, y, SampleType::i8, 1, 2, 0, 0, 1}, roots, false); }), "ints out");
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        for (const bool inverse : {false, true})
            for (const std::int64_t rows : {0, 1, 15, 16, 33})
                for (const std::int64_t columns : {0, 1, 15, 16, 40})
                    for (const std::int64_t column : {0, 32, 160}) {
                        tiles<float>(rows, columns, column, 16, inverse);
                        tiles<double>(rows, columns, column, 32, inverse);
                        tiles<double>(rows, columns, column, 1, inverse);
                    }
        blocks_do_not_matter();
    }
    roots_are_good();
    for (const std::int64_t width : {1, 2, 3, 31, 32, 33, 64, 101})
        for (const bool mirrored : {false, true}) {
            placed<float>(4, width, 16, mirrored);
            placed<double>(1, width, 32, mirrored);
        }
    for (const bool inverse : {false, true}) {
        chirped<float, std::complex<float>>(SampleType::f32, SampleType::c64, inverse);
        chirped<double, std::complex<double>>(SampleType::f64, SampleType::c128, inverse);
        chirped<std::complex<float>, std::complex<double>>(SampleType::c64, SampleType::c128, inverse);
        chirped<std::complex<double>, double>(SampleType::c128, SampleType::f64, inverse);
    }
    rows_in_files();
    refused();
    return check::report();
}
