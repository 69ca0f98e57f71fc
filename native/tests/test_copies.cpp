// Every entry of the kernel table and every class over it, on every copy: the bytes of the portable copy.
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "check.hpp"
#include "headrace/convert.hpp"
#include "headrace/delay.hpp"
#include "headrace/fir.hpp"
#include "headrace/four_step.hpp"
#include "headrace/isa.hpp"
#include "headrace/reference.hpp"
#include "headrace/resample.hpp"
#include "headrace/select.hpp"
#include "headrace/threshold.hpp"

namespace {
using namespace headrace;
using check::Buffer;

template <class T>
constexpr SampleType type_of() {
    if constexpr (std::is_same_v<T, float>) return SampleType::f32;
    else if constexpr (std::is_same_v<T, double>) return SampleType::f64;
    else {
        constexpr int base = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 2 : sizeof(T) == 4 ? 4 : 6;
        return static_cast<SampleType>(base + (std::is_signed_v<T> ? 0 : 1));
    }
}

// kind 0: random bits of moderate size; 1: with NaN and infinities; 2: any bits at all (subnormal, huge, NaN); 3: ties and halves.
template <class T>
Buffer<T> values(std::int64_t n, int kind, std::uint64_t seed) {
    check::Random random(seed * 1000003 + static_cast<std::uint64_t>(n) * 17 + static_cast<std::uint64_t>(kind));
    Buffer<T> x(n);
    for (std::int64_t i = 0; i < n; ++i) {
        x[i] = random.value<T>();
        if (kind == 3) x[i] = static_cast<T>(std::abs(std::trunc(random.unit() * 40)) / 2);
        if constexpr (std::is_floating_point_v<T>) {
            if (kind == 0) x[i] *= static_cast<T>(1000);
            if (kind == 2) {
                using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
                const Bits bits = static_cast<Bits>(random.bits());
                std::memcpy(&x[i], &bits, sizeof bits);
                if (std::isnan(x[i])) x[i] = std::numeric_limits<T>::quiet_NaN();
            }
            const double die = random.unit();
            if (kind == 1 && die > 0.97) x[i] = std::numeric_limits<T>::quiet_NaN();
            if (kind == 1 && die < -0.9) x[i] = (die < -0.95 ? -1 : 1) * std::numeric_limits<T>::infinity();
        }
    }
    return x;
}

using Bytes = std::vector<unsigned char>;
template <class T>
void put(Bytes& b, const T* p, std::int64_t n) {
    const auto* c = reinterpret_cast<const unsigned char*>(p);
    b.insert(b.end(), c, c + n * static_cast<std::int64_t>(sizeof(T)));
}

void same(const std::string& where, const std::function<Bytes()>& run) {
    set_isa("portable");
    const Bytes want = run();
    for (const Isa isa : available_isas()) {
        if (isa == Isa::portable) continue;
        set_isa(name(isa));
        const Bytes got = run();
        std::size_t at = 0;
        while (at < want.size() && at < got.size() && want[at] == got[at]) ++at;
        CHECK(got == want, where + " on " + std::string(name(isa)) + " byte " + std::to_string(at) + " of " + std::to_string(want.size()));
    }
}

template <class S, class D>
void affines() {
    for (const std::int64_t n : {0, 1, 5, 15, 16, 17, 63, 64, 65, 333})
        for (const std::int64_t channels : {1, 3, 20})
            for (const int kind : {0, 1, 2}) {
                const auto x = values<S>(n * channels, kind, 1);
                check::Random random(9);
                std::vector<double> scale, offset;
                for (std::int64_t c = 0; c < channels; ++c) {
                    scale.push_back(random.unit());
                    offset.push_back(random.unit());
                }
                same("affine " + std::to_string(int(type_of<S>())) + "->" + std::to_string(sizeof(D)), [&] {
                    Buffer<D> out(x.size);
                    affine(x.data.get(), type_of<S>(), out.data.get(), type_of<D>(), x.size, channels, scale, offset);
                    Bytes b;
                    put(b, out.data.get(), out.size);
                    return b;
                });
            }
}

template <class S, class D>
void quantizes() {
    for (const std::int64_t n : {0, 1, 5, 15, 16, 17, 63, 64, 65, 1000})
        for (const int kind : {0, 1, 2, 3})
            for (const double factor : {1.0, 300.0, 1e5, 5e9, 2e19}) {
                auto x = values<S>(n, kind, 2);
                for (std::int64_t i = 0; kind < 2 && i < n; ++i) x[i] = static_cast<S>(x[i] * factor / 1000);
                same("quantize " + std::to_string(sizeof(S)) + "->" + std::to_string(int(type_of<D>())), [&] {
                    Buffer<D> out(n);
                    const std::int64_t clipped = quantize(x.data.get(), type_of<S>(), out.data.get(), type_of<D>(), n);
                    Bytes b;
                    put(b, out.data.get(), n);
                    put(b, &clipped, 1);
                    return b;
                });
            }
}

void int24() {
    for (const std::int64_t n : {0, 1, 5, 15, 16, 17, 63, 64, 65, 1000})
        for (const bool big : {false, true}) {
            const auto x = values<std::uint8_t>(3 * n, 0, 3);
            same("int24", [&] {
                Buffer<std::int32_t> out(n);
                unpack_int24(x.data.get(), out.data.get(), n, big);
                Bytes b;
                put(b, out.data.get(), n);
                return b;
            });
        }
}

template <class S, class D>
void references() {
    for (const std::int64_t channels : {1, 2, 7, 8, 9, 16, 33, 70})
        for (const std::int64_t rows : {1, 7, 33})
            for (const int kind : {0, 1, 2, 3})
                for (const int groups : {1, 3}) {
                    if (groups > channels) continue;
                    const auto x = values<S>(rows * channels, kind, 4);
                    std::vector<std::int32_t> members, targets;
                    for (std::int64_t c = 0; c < channels; ++c) {
                        members.push_back(c >= groups && c % 7 == 3 ? -1 : int(c % groups));
                        targets.push_back(c % 5 == 1 ? -1 : int((c + 1) % groups));
                    }
                    for (const bool median : {true, false})
                        same("reference " + std::to_string(int(type_of<S>())) + " kind " + std::to_string(kind) + (median ? " median" : " mean") +
                             " channels " + std::to_string(channels), [&] {
                            Buffer<D> out(x.size);
                            subtract_reference(x.data.get(), type_of<S>(), out.data.get(), type_of<D>(), rows, channels, members, targets, median);
                            Bytes b;
                            put(b, out.data.get(), out.size);
                            return b;
                        });
                }
}

template <class S, class D>
void delays() {
    for (const std::int64_t count : {1, 8, 63, 130, 300})
        for (const std::int64_t channels : {1, 4, 9, 17})
            for (const std::int64_t taps : {1, 8, 31})
                for (const int kind : {0, 1}) {
                    const auto x = values<S>(count * channels, kind, 5);
                    check::Random random(6);
                    std::vector<double> h;
                    std::vector<std::int64_t> lag;
                    for (std::int64_t c = 0; c < channels; ++c) {
                        for (std::int64_t k = 0; k < taps; ++k) h.push_back(c % 4 == 3 ? (k == taps / 2 ? 1.0 : 0.0) : random.unit());
                        lag.push_back(static_cast<std::int64_t>(random.bits() % 9) - 4);
                    }
                    same("delay " + std::to_string(int(type_of<S>())) + " kind " + std::to_string(kind), [&] {
                        Buffer<D> out(x.size);
                        delay({x.data.get(), type_of<S>(), 3, count, channels}, {out.data.get(), type_of<D>(), 4, count, channels}, taps, h, lag);
                        Bytes b;
                        put(b, out.data.get(), out.size);
                        return b;
                    });
                }
}

template <class S, class D>
void resamples() {
    for (const std::int64_t channels : {1, 2, 4, 9, 17})
        for (const auto& [up, down] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 2}, {2, 7}, {10, 9}})
            for (const std::int64_t count : {1, 8, 63, 130, 500})
                for (const int kind : {0, 1}) {
                    const std::int64_t in_count = count * down / up + 20, taps = 41;
                    const auto x = values<S>(in_count * channels, kind, 11);
                    check::Random random(12);
                    std::vector<double> phases(static_cast<std::size_t>(up * polyphase_columns(taps, up)));
                    for (double& tap : phases) tap = random.unit();
                    same("resample " + std::to_string(int(type_of<S>())) + " kind " + std::to_string(kind), [&] {
                        Buffer<D> out(count * channels);
                        resample({x.data.get(), type_of<S>(), 3, in_count, channels}, {out.data.get(), type_of<D>(), 4, count, channels}, taps,
                                 up, down, 20, phases);
                        Bytes b;
                        put(b, out.data.get(), out.size);
                        return b;
                    });
                }
}

template <class T>
void twiddles() {
    for (const std::int64_t rows : {1, 16, 35})
        for (const std::int64_t count : {1, 15, 16, 33, 64})
            for (const int kind : {0, 1}) {
                const auto x = values<T>(2 * rows * count, kind, 13);
                const Roots roots(rows * (count + 160) + 7);
                same("twiddle " + std::to_string(sizeof(T)) + " kind " + std::to_string(kind), [&] {
                    Buffer<T> out(2 * (rows + 15) / 16 * 16 * count * 16);
                    twiddle_tiles({x.data.get(), out.data.get(), sizeof(T) == 4 ? SampleType::c64 : SampleType::c128, rows, count, 160, 16}, roots,
                                  kind == 1);
                    Bytes b;
                    put(b, out.data.get(), (rows + 15) / 16 * 16 * count * 2);
                    return b;
                });
            }
}

template <class S>
void columns() {
    const SampleType type = type_of<S>();
    const bool single = type < SampleType::i32 || type == SampleType::f32;
    for (const std::int64_t n : {0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 129, 1000, 9001})
        for (const int kind : {0, 1, 2, 3}) {
            const auto x = values<S>(n, kind, 7);
            const std::string where = " type " + std::to_string(int(type)) + " n " + std::to_string(n) + " kind " + std::to_string(kind);
            constexpr double inf = std::numeric_limits<double>::infinity();
            const double bounds[][2] = {{3, 5}, {0.5, 0.5}, {-0.1, 20}, {100, -100}, {inf, -inf}};
            for (const auto& [above, below] : bounds) {
                same("beyond" + where, [&] {
                    Buffer<std::uint64_t> words((n + 63) / 64);
                    BeyondJob job{x.data.get(), type, n, above, below, words.data.get()};
                    if constexpr (std::is_integral_v<S>) {
                        job.above = std::max(above, double(std::numeric_limits<S>::min()));
                        job.below = std::min(below, double(std::numeric_limits<S>::max()));
                    }
                    const unsigned char any = kernels().beyond(job);
                    Bytes b;
                    put(b, words.data.get(), words.size);
                    put(b, &any, 1);
                    return b;
                });
            }
            if constexpr (sizeof(S) < 8 || std::is_floating_point_v<S>) {
                for (const std::int64_t capacity : {std::int64_t{0}, n / 3, n})
                    for (const double at : {0.0, 3.0})
                        same("sift" + where, [&] {
                            Buffer<double> kept(n + 16);
                            SiftJob job{x.data.get(), type, n, at, at + 0.5, at - 1, at + 4, kept.data.get(), capacity};
                            kernels().sift(job);
                            Bytes b;
                            put(b, reinterpret_cast<unsigned char*>(kept.data.get()), std::min(job.within, capacity) * (single ? 4 : 8));
                            put(b, &job.inner, 1);
                            put(b, &job.within, 1);
                            put(b, &job.missing, 1);
                            return b;
                        });
                same("median, std" + where, [&] {
                    const SelectScratch scratch(n);
                    const Column column{x.data.get(), type, n};
                    double found[] = {select_median(column, scratch).value_or(1e99), select_median_distance(column, 1.5, scratch).value_or(1e99),
                                      n > 0 ? standard_deviation(column) : 0.0};
                    for (double& f : found)
                        if (std::isnan(f)) f = 1e98;
                    Bytes b;
                    put(b, found, 3);
                    return b;
                });
                for (const bool squared : {false, true})
                    for (const double center : {0.0, 0.3})
                        same("moment" + where, [&] {
                            const double sum = kernels().moment({x.data.get(), type, n, center, squared});
                            const std::int64_t nan = std::isnan(sum);
                            const double kept = nan ? 0.0 : sum;
                            Bytes b;
                            put(b, &kept, 1);
                            put(b, &nan, 1);
                            return b;
                        });
            }
            for (const Noise noise : {Noise::mad, Noise::std})
                for (const std::int64_t window : {0, 25}) {
                    if (n == 0 || (n > 1000 && window)) continue;
                    same("find_beyond" + where, [&] {
                        const ThresholdRule rule{1.5, noise, Polarity::both, Missing::gap, window};
                        const Found found = find_beyond(rule, {x.data.get(), type, 0, n, 1}, 0, n);
                        Bytes b;
                        for (const Piece& p : found.pieces) put(b, &p, 1);
                        put(b, found.states.data(), std::int64_t(found.states.size()));
                        return b;
                    });
                }
        }
}

void transforms() {
    for (const std::int64_t taps : {1, 3, 10, 40, 100, 260, 1023, 3000}) {
        check::Random random(static_cast<std::uint64_t>(taps));
        std::vector<double> pairs(static_cast<std::size_t>(2 * taps));
        for (double& p : pairs) p = random.unit();
        const FftPlan plan(pairs, false);
        const std::int64_t length = plan.view().length;
        const auto x = values<double>(2 * length, 0, 11);
        same("fir_forward " + std::to_string(taps), [&] {
            double* rows = static_cast<double*>(std::aligned_alloc(64, static_cast<std::size_t>((16 * length + 63) / 64 * 64)));
            std::memcpy(rows, x.data.get(), static_cast<std::size_t>(16 * length));
            kernels().fir_forward(plan.view(), rows);
            Bytes b;
            put(b, rows, 2 * length);
            std::free(rows);
            return b;
        });
        for (const std::int64_t channels : {1, 5, 16})
            for (const int kind : {0, 1})
                same("FirKernel " + std::to_string(taps), [&] {
                    const auto signal = values<float>(1500 * channels, kind, 12);
                    const FirKernel kernel(std::span<const double>(pairs).first(static_cast<std::size_t>(taps)), false, false);
                    Buffer<float> out(signal.size);
                    kernel.apply({signal.data.get(), SampleType::f32, 0, 1500, channels}, taps / 2, {out.data.get(), SampleType::f32, 0, 1500, channels});
                    Bytes b;
                    put(b, out.data.get(), out.size);
                    return b;
                });
    }
}

template <class S>
void all() {
    affines<S, float>();
    affines<S, double>();
    references<S, float>();
    references<S, double>();
    delays<S, float>();
    delays<S, double>();
    resamples<S, float>();
    resamples<S, double>();
    columns<S>();
}

template <class D>
void quantized() {
    quantizes<float, D>();
    quantizes<double, D>();
}

}  // namespace

int main() {
    transforms();
    twiddles<float>();
    twiddles<double>();
    int24();
    quantized<std::int8_t>();
    quantized<std::uint8_t>();
    quantized<std::int16_t>();
    quantized<std::uint16_t>();
    quantized<std::int32_t>();
    quantized<std::uint32_t>();
    quantized<std::int64_t>();
    quantized<std::uint64_t>();
    all<std::int8_t>();
    all<std::uint16_t>();
    all<std::int32_t>();
    all<std::uint64_t>();
    all<float>();
    all<double>();
    return check::report();
}
