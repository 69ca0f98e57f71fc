// Every copy of the kernel, at every number of lanes, for every input type: the same bytes as the portable copy with one lane.
#include <algorithm>
#include <complex>
#include <limits>
#include <vector>

#include "check.hpp"
#include "headrace/fft_plan.hpp"
#include "headrace/isa.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace headrace;
using check::Buffer;

bool machine_offers(Isa isa) {
    const auto offered = available_isas();
    return std::find(offered.begin(), offered.end(), isa) != offered.end();
}

std::vector<std::pair<std::string, const KernelTable*>> copies() {
    std::vector<std::pair<std::string, const KernelTable*>> found{{"portable", &portable::table}, {"wide", &wide::table}};
#if defined(HEADRACE_AVX2_COPY)
    if (machine_offers(Isa::avx2)) found.emplace_back("avx2", &avx2::table);
#endif
#if defined(HEADRACE_AVX512_COPY)
    if (machine_offers(Isa::avx512)) found.emplace_back("avx512", &avx512::table);
#endif
    return found;
}

template <class T>
void fill(Buffer<T>& x, bool nonfinite) {
    check::Random random(3);
    for (std::int64_t i = 0; i < x.size; ++i) {
        if constexpr (std::is_arithmetic_v<T>)
            x[i] = random.value<T>();
        else
            x[i] = {random.value<typename T::value_type>(), random.value<typename T::value_type>()};
    }
    if constexpr (std::is_floating_point_v<T>)
        for (std::int64_t i = 5; nonfinite && i < x.size; i += 997) x[i] = std::numeric_limits<T>::infinity();
}

template <class T, class Out>
void same_bytes(SampleType in_type, SampleType out_type, std::int64_t taps, std::int64_t channels, std::int64_t n, bool nonfinite) {
    check::Random random(static_cast<std::uint64_t>(taps));
    std::vector<double> pairs(static_cast<std::size_t>(2 * taps), 0.0);
    const bool paired = !is_complex(out_type);
    for (std::size_t i = 0; i < pairs.size(); i += paired ? 2 : 1) pairs[i] = random.unit();
    const FftPlan plan(pairs, paired);
    const std::int64_t cell = plan.view().step * (paired ? 2 : 1);
    Buffer<T> x(n * channels);
    fill(x, nonfinite);
    Buffer<Out> want(n * channels);
    bool first = true;
    for (const auto& [copy, table] : copies())
        for (int lanes = 1; lanes <= table->max_lanes; lanes *= 2) {
            Buffer<Out> out(n * channels);
            FirJob job;
            job.plan = &plan.view();
            job.in = {x.data.get(), in_type, 0, n, channels};
            job.out = {out.data.get(), out_type, 0, n, channels};
            job.shift = taps / 2;
            job.in_stop = n + taps / 2;
            job.streams = (n + cell - 1) / cell * channels;
            job.patch = [](const FirJob&, std::int64_t) {};
            const std::int64_t doubles = table->fir_shape(plan.view(), lanes).workspace_doubles;
            double* workspace = static_cast<double*>(std::aligned_alloc(64, static_cast<std::size_t>((doubles * 8 + 63) / 64 * 64)));
            table->fir_run(job, lanes, workspace);
            std::free(workspace);
            if (first) std::copy_n(out.data.get(), out.size, want.data.get());
            first = false;
            CHECK(out.same_bytes(want), copy + " lanes=" + std::to_string(lanes) + " taps=" + std::to_string(taps) +
                                            " channels=" + std::to_string(channels) + " type=" + std::to_string(static_cast<int>(in_type)));
        }
}

void all_types(std::int64_t taps, std::int64_t channels, std::int64_t n) {
    same_bytes<std::int8_t, float>(SampleType::i8, SampleType::f32, taps, channels, n, false);
    same_bytes<std::uint8_t, double>(SampleType::u8, SampleType::f64, taps, channels, n, false);
    same_bytes<std::int16_t, float>(SampleType::i16, SampleType::f32, taps, channels, n, false);
    same_bytes<std::uint16_t, float>(SampleType::u16, SampleType::f32, taps, channels, n, false);
    same_bytes<std::int32_t, float>(SampleType::i32, SampleType::f32, taps, channels, n, false);
    same_bytes<std::uint32_t, double>(SampleType::u32, SampleType::f64, taps, channels, n, false);
    for (const bool nonfinite : {false, true}) {
        same_bytes<float, float>(SampleType::f32, SampleType::f32, taps, channels, n, nonfinite);
        same_bytes<double, double>(SampleType::f64, SampleType::f64, taps, channels, n, nonfinite);
    }
    same_bytes<std::complex<float>, std::complex<float>>(SampleType::c64, SampleType::c64, taps, channels, n, false);
    same_bytes<std::complex<double>, std::complex<double>>(SampleType::c128, SampleType::c128, taps, channels, n, false);
    same_bytes<float, std::complex<float>>(SampleType::f32, SampleType::c64, taps, channels, n, false);
}

}  // namespace

int main() {
    for (const std::int64_t channels : {1, 3, 8, 17}) {
        all_types(1, channels, 700);
        all_types(40, channels, 2000);
        all_types(100, channels, 3001);
        all_types(260, channels, 4100);
    }
    all_types(1023, 1, 30011);
    all_types(1023, 8, 7001);
    all_types(3000, 1, 60000);
    all_types(9000, 2, 70000);
    return check::report();
}
