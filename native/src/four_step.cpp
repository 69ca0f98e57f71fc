#include "headrace/four_step.hpp"

#include <algorithm>
#include <complex>
#include <cstring>
#include <stdexcept>
#include <string>

namespace headrace {

namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

template <class T>
void place_rows(const Rows& job) {
    const T* tiles = static_cast<const T*>(job.tiles);
    T* out = static_cast<T*>(job.out);
    for (std::int64_t first = 0; first < job.kept; first += job.side) {
        const auto bytes = sizeof(T) * static_cast<std::size_t>(std::min(job.side, job.kept - first));
        for (std::int64_t r = 0; r < job.rows; ++r, tiles += job.side) std::memcpy(out + r * job.width + first, tiles, bytes);
    }
}

template <class T>
void place_mirrored(const Rows& job) {
    const auto* tiles = static_cast<const std::complex<T>*>(job.mirror);
    auto* out = static_cast<std::complex<T>*>(job.out);
    for (std::int64_t k = 1; k < job.kept && job.width - k >= job.kept; ) {
        const std::int64_t first = k / job.side * job.side, stop = std::min({first + job.side, job.kept, job.width - job.kept + 1});
        const auto* tile = tiles + first * job.rows;
        for (std::int64_t r = 0; r < job.rows; ++r) {
            const auto* from = tile + (job.rows - 1 - r) * job.side - first;
            auto* to = out + r * job.width + job.width;
            for (std::int64_t place = k; place < stop; ++place) to[-place] = std::conj(from[place]);
        }
        k = stop;
    }
}

template <class T>
struct Parts {
    using type = T;
    static constexpr bool is_complex = false;
};
template <class T>
struct Parts<std::complex<T>> {
    using type = T;
    static constexpr bool is_complex = true;
};

// One row, from j on.
template <class S, class D>
void chirp_row(const S* in, D* out, std::int64_t j, std::int64_t count, const RootTables& roots, double sign, double scale) {
    using Part = typename Parts<D>::type;
    const std::int64_t order = roots.order, n = order / 2, mask = (std::int64_t{1} << roots.shift) - 1;
    const std::int64_t begin = std::clamp<std::int64_t>(-n + 1 - j, 0, count), end = std::clamp<std::int64_t>(n - j, begin, count);
    std::fill(out, out + begin, D{});
    std::fill(out + end, out + count, D{});
    // j^2 mod 2n, and the difference to the next, 2j + 1 mod 2n.
    const std::int64_t first = j + begin, size = first < 0 ? -first : first;
    const auto wide = static_cast<unsigned __int128>(size);
    auto exponent = static_cast<std::int64_t>(wide * wide % static_cast<unsigned __int128>(order));
    std::int64_t step = static_cast<std::int64_t>((2 * static_cast<__int128>(first) + 1) % order);
    if (step < 0) step += order;
    const std::int64_t two = 2 % order;
    for (std::int64_t i = begin; i < end; ++i) {
        const double* high = roots.high + 2 * (exponent >> roots.shift);
        const double* low = roots.low + 2 * (exponent & mask);
        const double re = high[0] * low[0] - high[1] * low[1], im = sign * (high[0] * low[1] + high[1] * low[0]);
        double x = 1, y = 0;
        if (in != nullptr) {
            if constexpr (Parts<S>::is_complex) {
                x = static_cast<double>(in[i].real());
                y = static_cast<double>(in[i].imag());
            } else {
                x = static_cast<double>(in[i]);
            }
        }
        const double found_re = (x * re - y * im) * scale, found_im = (x * im + y * re) * scale;
        if constexpr (Parts<D>::is_complex) out[i] = D(static_cast<Part>(found_re), static_cast<Part>(found_im));
        else out[i] = static_cast<Part>(found_re);
        exponent += step;
        if (exponent >= order) exponent -= order;
        step += two;
        if (step >= order) step -= order;
    }
}

template <class S, class D>
void chirp_rows(const Chirp& job, const RootTables& roots, double sign) {
    const S* in = static_cast<const S*>(job.in);
    D* out = static_cast<D*>(job.out);
    for (std::int64_t r = 0; r < job.rows; ++r) {
        const std::int64_t skipped = r * job.columns;
        chirp_row(in == nullptr ? in : in + skipped, out + skipped, job.start + r * job.apart, job.columns, roots, sign, job.scale);
    }
}

template <class D>
void chirp_from(const Chirp& job, const RootTables& roots, double sign) {
    switch (job.in_type) {
        case SampleType::f32: return chirp_rows<float, D>(job, roots, sign);
        case SampleType::f64: return chirp_rows<double, D>(job, roots, sign);
        case SampleType::c64: return chirp_rows<std::complex<float>, D>(job, roots, sign);
        case SampleType::c128: return chirp_rows<std::complex<double>, D>(job, roots, sign);
        default: throw std::invalid_argument("x must be float32, float64, complex64 or complex128");
    }
}

}  // namespace

void twiddle_tiles(const Tiles& tiles, const Roots& roots, bool inverse) {
    if (!is_complex(tiles.type)) throw std::invalid_argument("x must be complex");
    if (tiles.rows < 0 || tiles.columns < 0 || tiles.column < 0 || tiles.side < 1)
        throw std::invalid_argument("rows, columns and their place are not negative, and a side is at least 1");
    if (tiles.column % twiddle_run != 0)
        throw std::invalid_argument("column is " + std::to_string(tiles.column) + ", which is not a multiple of " + std::to_string(twiddle_run));
    if (tiles.rows == 0 || tiles.columns == 0) return;
    const auto last = static_cast<unsigned __int128>(tiles.rows - 1) * static_cast<unsigned __int128>(tiles.column + tiles.columns - 1);
    if (last >= static_cast<unsigned __int128>(roots.order())) throw std::invalid_argument("row times column reaches the order of the roots");
    TwiddleJob job;
    job.in = tiles.in;
    job.out = tiles.out;
    job.wide = tiles.type == SampleType::c128;
    job.inverse = inverse;
    job.rows = tiles.rows;
    job.columns = tiles.columns;
    job.column = tiles.column;
    job.side = tiles.side;
    job.roots = roots.view();
    kernels().twiddle(job);
}

void rows_of_tiles(const Rows& rows) {
    if (rows.rows < 0 || rows.width < 0 || rows.kept < 0 || rows.kept > rows.width || rows.side < 1)
        throw std::invalid_argument("rows have as many places as are kept or more, and a side is at least 1");
    if (rows.mirror != nullptr && (!is_complex(rows.type) || rows.kept < ceil_div(rows.width + 1, 2)))
        throw std::invalid_argument("only complex rows of which more than half is kept are mirrored");
    switch (rows.type) {
        case SampleType::f32: return place_rows<float>(rows);
        case SampleType::f64: return place_rows<double>(rows);
        case SampleType::c64:
            place_rows<std::complex<float>>(rows);
            if (rows.mirror != nullptr) place_mirrored<float>(rows);
            return;
        case SampleType::c128:
            place_rows<std::complex<double>>(rows);
            if (rows.mirror != nullptr) place_mirrored<double>(rows);
            return;
        default: throw std::invalid_argument("tiles must be float32, float64, complex64 or complex128");
    }
}

void chirp(const Chirp& job, const Roots& roots, bool inverse) {
    if (roots.order() % 2 != 0) throw std::invalid_argument("a chirp takes roots of an even order");
    const auto last = static_cast<__int128>(job.start) + static_cast<__int128>(job.apart) * (job.rows - 1);
    if (job.rows < 0 || job.columns < 0 || job.apart < 0 || job.start < -position_limit || last + job.columns > position_limit)
        throw std::invalid_argument("a chirp lies within +-2^60");
    const double sign = inverse ? -1 : 1;
    switch (job.out_type) {
        case SampleType::f32: return chirp_from<float>(job, roots.view(), sign);
        case SampleType::f64: return chirp_from<double>(job, roots.view(), sign);
        case SampleType::c64: return chirp_from<std::complex<float>>(job, roots.view(), sign);
        case SampleType::c128: return chirp_from<std::complex<double>>(job, roots.view(), sign);
        default: throw std::invalid_argument("out must be float32, float64, complex64 or complex128");
    }
}

}  // namespace headrace
