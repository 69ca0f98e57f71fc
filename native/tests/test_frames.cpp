// Spectra of frames: direct sums in long double, and the bytes of the portable copy with one lane on every copy.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "check.hpp"
#include "headrace/frames.hpp"
#include "headrace/isa.hpp"
#include "headrace/workspace.hpp"

namespace headrace::wide {
extern const KernelTable table;
}

namespace {
using namespace headrace;
using check::Buffer;
using Wide = std::complex<long double>;

Buffer<double> noise(std::int64_t n, std::uint64_t seed) {
    check::Random random(seed);
    Buffer<double> x(n);
    for (std::int64_t i = 0; i < n; ++i) x[i] = random.unit();
    return x;
}

template <class T>
std::span<const T> all(const Buffer<T>& x, std::int64_t n) {
    return {x.data.get(), static_cast<std::size_t>(n)};
}

void direct_sums(std::int64_t points, std::int64_t count, std::int64_t turn, std::int64_t frames) {
    const std::int64_t hop = count / 2 + 1, samples = (frames - 1) * hop + count, freqs = points / 2 + 1;
    const Buffer<double> window = noise(count, 1), line = noise(samples, 2);
    const FrameKernel kernel(all(window, count), points, turn);
    Buffer<double> out(2 * frames * freqs), sums(freqs);
    kernel.spectra(all(line, samples), hop, frames, &out[0], SampleType::c128, freqs);
    for (std::int64_t k = 0; k < freqs; ++k) sums[k] = 0;
    kernel.power_sums(all(line, samples), hop, frames, {&sums[0], static_cast<std::size_t>(freqs)});
    for (std::int64_t k = 0; k < freqs; ++k) {
        long double power = 0;
        for (std::int64_t f = 0; f < frames; ++f) {
            Wide z = 0;
            for (std::int64_t i = 0; i < count; ++i) {
                const long double angle = -2 * std::numbers::pi_v<long double> * static_cast<long double>(((i - turn) * k) % points) /
                                          static_cast<long double>(points);
                z += static_cast<long double>(line[f * hop + i]) * static_cast<long double>(window[i]) * std::polar(1.0L, angle);
            }
            const double* found = &out[2 * (f * freqs + k)];
            CHECK(std::abs(z - Wide(found[0], found[1])) < 1e-13L * std::sqrt(static_cast<long double>(points)), "frame " + std::to_string(f));
            power += std::norm(z);
        }
        CHECK(std::abs(power - static_cast<long double>(sums[k])) < 1e-12L * static_cast<long double>(points * frames), "power " + std::to_string(k));
    }
}

void copies() {
    const Isa before = current_isa();
    for (const std::int64_t points : {16, 32, 256, 4096}) {
        const std::int64_t frames = 37, hop = points / 2, samples = (frames - 1) * hop + points, freqs = points / 2 + 1;
        const Buffer<double> window = noise(points, 3), line = noise(samples, 4);
        std::vector<std::vector<double>> answers;
        for (const Isa isa : available_isas()) {
            set_isa(name(isa));
            const FrameKernel kernel(all(window, points), points, points / 2);
            Buffer<double> out(2 * frames * freqs), sums(freqs);
            for (std::int64_t k = 0; k < freqs; ++k) sums[k] = 0;
            kernel.spectra(all(line, samples), hop, frames, &out[0], SampleType::c128, freqs);
            kernel.power_sums(all(line, samples), hop, frames, {&sums[0], static_cast<std::size_t>(freqs)});
            answers.emplace_back(&out[0], &out[0] + 2 * frames * freqs);
            answers.back().insert(answers.back().end(), &sums[0], &sums[0] + freqs);
        }
        for (const auto& answer : answers) CHECK(answer == answers.front(), std::to_string(points) + " points");
    }
    set_isa(name(before));
}

// The kernel of lanes of eight against those of the copy in use, on machines without AVX-512 too.
void same_from_wide() {
    for (const std::int64_t points : {16, 64, 128, 2048}) {
        const std::int64_t frames = 37, hop = 5, samples = (frames - 1) * hop + points, freqs = points / 2 + 1;
        Buffer<double> window = noise(points, 5);
        const Buffer<double> line = noise(samples, 6);
        const FrameKernel kernel(all(window, points), points, 3);
        Buffer<double> expected(2 * frames * freqs), found(2 * frames * freqs), sums(freqs), wide_sums(freqs);
        for (std::int64_t k = 0; k < freqs; ++k) sums[k] = wide_sums[k] = 0;
        kernel.spectra(all(line, samples), hop, frames, &expected[0], SampleType::c128, freqs);
        kernel.power_sums(all(line, samples), hop, frames, {&sums[0], static_cast<std::size_t>(freqs)});
        const FftPlan plan(points);
        const auto rows = frequency_rows(plan.view());
        for (std::int64_t i = 0; i < points; ++i) window[i] *= 0.5;
        for (const int lanes : {1, 2, 4, 8}) {
            const Workspace workspace(16 * points + points + 8 * points);
            std::fill_n(workspace.data(), 25 * points, 0.0);
            FramesJob job;
            job.plan = &plan.view();
            job.line = &line[0];
            job.hop = hop;
            job.frames = frames;
            job.window = &window[0];
            job.nperseg = points;
            job.turn = 3;
            job.place = rows.data();
            job.zeros = workspace.data() + 16 * points;
            job.out = &found[0];
            job.type = SampleType::c128;
            job.row = freqs;
            wide::table.frames(job, lanes, workspace.data());
            CHECK(found.same_bytes(expected), std::to_string(lanes) + " lanes");
            for (std::int64_t k = 0; k < freqs; ++k) wide_sums[k] = 0;
            job.sums = &wide_sums[0];
            job.cells = workspace.data() + 17 * points;
            wide::table.frames(job, lanes, workspace.data());
            CHECK(wide_sums.same_bytes(sums), std::to_string(lanes) + " lanes, sums");
        }
    }
}

}  // namespace

int main() {
    for (const std::int64_t points : {16, 32, 64, 128})
        for (const std::int64_t frames : {1, 2, 3, 9}) {
            direct_sums(points, points, points / 2, frames);
            direct_sums(points, points - 5, 0, frames);
            direct_sums(points, 1, 0, frames);
        }
    copies();
    same_from_wide();
    return check::report();
}
