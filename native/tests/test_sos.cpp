// SosKernel against the recurrence written down plainly, on every ISA that this machine runs.
#include <stdexcept>

#include "headrace/isa.hpp"
#include "sos_cases.hpp"

namespace {

using namespace sos_cases;

// One channel in SciPy's order of operations; Real is double to the bit, or wider for the truth.
template <class Real, class T>
std::vector<Real> plainly(const std::vector<double>& sos, const Buffer<T>& x, std::int64_t channels, std::int64_t channel, bool backward) {
    const std::int64_t n = x.size / channels;
    std::vector<Real> y(static_cast<std::size_t>(n)), z(sos.size() / 3);
    for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t at = backward ? n - 1 - i : i;
        Real value = static_cast<Real>(x[at * channels + channel]);
        for (std::size_t s = 0; s < sos.size() / 6; ++s) {
            const double* c = &sos[6 * s];
            const Real scaled = Real(c[0]) * value;
            const Real next = scaled + z[2 * s];
            const Real ahead = Real(c[1]) * value, back = Real(c[4]) * next, difference = ahead - back;
            z[2 * s] = difference + z[2 * s + 1];
            const Real far_ahead = Real(c[2]) * value, far_back = Real(c[5]) * next;
            z[2 * s + 1] = far_ahead - far_back;
            value = next;
        }
        y[static_cast<std::size_t>(at)] = value;
    }
    return y;
}

template <class T>
void equals_the_recurrence(std::int64_t n_sections, double radius, std::int64_t channels, std::int64_t n, bool exact, const std::string& where) {
    const auto sos = sections(n_sections, radius);
    const SosKernel kernel(sos, exact);
    const Buffer<T> x = noise<T>(n * channels);
    for (const bool backward : {false, true}) {
        Call<T, double> call(kernel, x, 0, n, channels);
        Buffer<double> state(n_sections * 2 * channels);
        kernel.run(call.job(backward ? SosTask::backward : SosTask::forward, state));
        for (std::int64_t c = 0; c < channels; ++c) {
            if (exact) {
                const auto want = plainly<double>(sos, x, channels, c, backward);
                for (std::int64_t i = 0; i < n; ++i)
                    if (call.out[i * channels + c] != want[static_cast<std::size_t>(i)])
                        return CHECK(false, where + " sample " + std::to_string(i) + " channel " + std::to_string(c));
                continue;
            }
            const auto want = plainly<long double>(sos, x, channels, c, backward);
            long double wrong = 0, power = 0;
            for (std::int64_t i = 0; i < n; ++i) {
                const long double w = want[static_cast<std::size_t>(i)];
                wrong += (call.out[i * channels + c] - w) * (call.out[i * channels + c] - w);
                power += w * w;
            }
            CHECK(wrong <= power * 1e-22L, where + " channel " + std::to_string(c));
        }
    }
}

// Cut on the grid, forwards and backwards: the bytes of one call, states included.
void cuts_do_not_show(bool exact, std::int64_t channels, const std::string& where) {
    const auto sos = sections(3, 0.98);
    const SosKernel kernel(sos, exact);
    const std::int64_t n = 2 * kernel.cell() + 77, grid = kernel.grid(channels), cut = exact ? 1001 : grid == kernel.cell() ? grid : 5 * grid;
    const Buffer<float> x = noise<float>(n * channels);
    for (const SosTask task : {SosTask::forward, SosTask::backward}) {
        Call<float, double> whole(kernel, x, 0, n, channels), a(kernel, x, 0, cut, channels), b(kernel, x, cut, n, channels);
        Buffer<double> one(3 * 2 * channels), two(3 * 2 * channels);
        kernel.run(whole.job(task, one));
        if (task == SosTask::backward) kernel.run(b.job(task, two));
        kernel.run(a.job(task, two));
        if (task == SosTask::forward) kernel.run(b.job(task, two));
        const bool same = std::memcmp(whole.out.data.get(), a.out.data.get(), static_cast<std::size_t>(a.out.size) * 8) == 0 &&
                          std::memcmp(whole.out.data.get() + a.out.size, b.out.data.get(), static_cast<std::size_t>(b.out.size) * 8) == 0;
        CHECK(same && one.same_bytes(two), where);
    }
}

// survey and both: the bytes of forward into float64 and then backward, for any lengths of the calls.
template <class T>
void both_equals_its_parts(bool exact, std::int64_t channels, std::int64_t n, bool nonfinite, const std::string& where) {
    const auto sos = sections(4, 0.97);
    const SosKernel kernel(sos, exact);
    Buffer<T> x = noise<T>(n * channels);
    if constexpr (std::is_floating_point_v<T>)
        if (nonfinite && x.size > 3000) x[x.size - 3000] = std::numeric_limits<T>::infinity();
    Call<T, double> ahead(kernel, x, 0, n, channels), survey(kernel, x, 0, n, channels);
    Buffer<double> state(4 * 2 * channels), surveyed(4 * 2 * channels), back(4 * 2 * channels), both_back(4 * 2 * channels);
    kernel.run(ahead.job(SosTask::forward, state));
    kernel.run(survey.job(SosTask::survey, surveyed));
    CHECK(state.same_bytes(surveyed), where + " survey");
    Call<double, float> parts(kernel, ahead.out, 0, n, channels);
    kernel.run(parts.job(SosTask::backward, back));
    const std::int64_t cut = std::min(n, kernel.cell());
    Call<T, float> late(kernel, x, cut, n, channels), early(kernel, x, 0, cut, channels);
    const std::int64_t row = 4 * 2 * channels;
    std::copy_n(survey.starts.data.get() + (survey.cells > 1 ? row : 0), late.starts.size, late.starts.data.get());
    std::copy_n(survey.starts.data.get(), early.starts.size, early.starts.data.get());
    kernel.run(late.job(SosTask::both, both_back));
    kernel.run(early.job(SosTask::both, both_back));
    const auto bytes = [](const Buffer<float>& b) { return static_cast<std::size_t>(b.size) * 4; };
    CHECK(back.same_bytes(both_back) && std::memcmp(parts.out.data.get(), early.out.data.get(), bytes(early.out)) == 0 &&
              std::memcmp(parts.out.data.get() + early.out.size, late.out.data.get(), bytes(late.out)) == 0,
          where + " both");
}

void a_nan_stays_for_ever(std::int64_t channels, const std::string& where) {
    const auto sos = sections(2, 0.9);
    const SosKernel kernel(sos, false);
    const std::int64_t n = 3 * kernel.cell() + 5, at = kernel.cell() + 300;
    Buffer<float> x = noise<float>(n * channels);
    x[at * channels] = std::numeric_limits<float>::quiet_NaN();
    Call<float, float> call(kernel, x, 0, n, channels);
    Buffer<double> state(2 * 2 * channels);
    kernel.run(call.job(SosTask::forward, state));
    bool right = true;
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t c = 0; c < channels; ++c) right = right && std::isnan(call.out[i * channels + c]) == (c == 0 && i >= at);
    CHECK(right, where);
}

void silence_ends_at_zero(std::int64_t channels, const std::string& where) {
    const auto sos = sections(2, 0.95);
    const SosKernel kernel(sos, false);
    const std::int64_t n = 20 * kernel.cell();
    Buffer<float> x(n * channels);
    for (std::int64_t i = 0; i < channels; ++i) x[i] = 1;
    Call<float, double> call(kernel, x, 0, n, channels);
    Buffer<double> state(2 * 2 * channels);
    kernel.run(call.job(SosTask::forward, state));
    bool right = call.out[0] != 0;
    for (std::int64_t i = 0; i < state.size; ++i) right = right && state[i] == 0;
    for (std::int64_t i = 0; i < channels; ++i) right = right && call.out[(n - 1) * channels + i] == 0;
    CHECK(right, where);
}

void refuses() {
    using Bad = std::invalid_argument;
    const auto made = [](std::vector<double> sos) { return check::throws<Bad>([&] { SosKernel(sos, false); }); };
    CHECK(made({}), "no sections");
    CHECK(made({1, 0, 0, 1, 0}), "five coefficients");
    CHECK(made({1, 0, 0, 2, 0, 0}), "a0 is 2");
    CHECK(made({1, 0, 0, 1, std::nan(""), 0}), "NaN");
    CHECK(made({1, 0, 0, 1, -1e9, 0}), "grows");
    const SosKernel kernel(sections(1, 0.5), false);
    const Buffer<float> x = noise<float>(4);
    Buffer<double> state(2);
    Call<float, float> call(kernel, x, 0, 4, 1);
    SosJob job = call.job(SosTask::forward, state);
    job.out.count = 3;
    CHECK(check::throws<Bad>([&] { kernel.run(job); }), "lengths");
    job = call.job(SosTask::forward, state);
    job.in.type = SampleType::c64;
    CHECK(check::throws<Bad>([&] { kernel.run(job); }), "complex");
    job = call.job(SosTask::both, state);
    job.out.data = nullptr;
    CHECK(check::throws<Bad>([&] { kernel.run(job); }), "both without out");
}

}  // namespace

int main() {
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        const std::string on(name(isa));
        for (const std::int64_t channels : {1, 2, 7, 8, 9, 17}) {
            const std::string where = on + " channels=" + std::to_string(channels);
            for (const std::int64_t count : {1, 2, 3, 4, 5, 9})
                for (const std::int64_t n : {1, 2, 3, 255, 2048, 2300}) {
                    const std::string which = where + " sections=" + std::to_string(count) + " n=" + std::to_string(n);
                    equals_the_recurrence<double>(count, 0.95, channels, n, true, which);
                    equals_the_recurrence<float>(count, 0.95, channels, n, false, which);
                }
            equals_the_recurrence<std::int16_t>(2, 0.9995, channels, 9000, false, where + " narrow");
            equals_the_recurrence<std::int64_t>(2, 0.5, channels, 300, true, where + " int64");
            for (const bool exact : {false, true}) {
                cuts_do_not_show(exact, channels, where);
                for (const std::int64_t n : {1, 2048, 5000}) both_equals_its_parts<std::int16_t>(exact, channels, n, false, where);
                both_equals_its_parts<float>(exact, channels, 7000, true, where + " not finite");
            }
            a_nan_stays_for_ever(channels, where);
            silence_ends_at_zero(channels, where);
        }
        both_equals_its_parts<std::int16_t>(false, 75, 4300, false, on + " many groups");
    }
    refuses();
    return check::report();
}
