// Every copy of the SOS kernels, for every input type and task: the bytes of the portable copy.
#include "headrace/isa.hpp"
#include "sos_cases.hpp"

namespace headrace::wide { extern const KernelTable table; }

namespace {

using namespace sos_cases;

template <class T, class Out>
void same_bytes(std::int64_t n_sections, std::int64_t channels, std::int64_t n, bool exact, bool nonfinite) {
    const auto sos = sections(n_sections, 0.97);
    const SosKernel kernel(sos, exact);
    Buffer<T> x = noise<T>(n * channels);
    if constexpr (std::is_floating_point_v<T>)
        if (nonfinite) {
            x[x.size / 2] = std::numeric_limits<T>::infinity();
            x[x.size * 3 / 4] = std::numeric_limits<T>::quiet_NaN();
        }
    for (const SosTask task : {SosTask::forward, SosTask::backward, SosTask::survey, SosTask::both}) {
        Call<T, Out> want(kernel, x, 0, n, channels);
        Buffer<double> wanted(n_sections * 2 * channels);
        set_isa("portable");
        kernel.run(want.job(task, wanted));
        const auto compare = [&](const std::string& copy, const auto& run) {
            Call<T, Out> call(kernel, x, 0, n, channels);
            Buffer<double> state(n_sections * 2 * channels);
            run(call.job(task, state));
            CHECK(call.out.same_bytes(want.out) && call.starts.same_bytes(want.starts) && state.same_bytes(wanted),
                  copy + " task=" + std::to_string(static_cast<int>(task)) + " sections=" + std::to_string(n_sections) +
                      " channels=" + std::to_string(channels) + " n=" + std::to_string(n) + (exact ? " exact" : "") +
                      " type=" + std::to_string(static_cast<int>(type_of<T>())));
        };
        for (const Isa isa : available_isas())
            compare(std::string(name(isa)), [&](const SosJob& job) {
                set_isa(name(isa));
                kernel.run(job);
            });
        compare("wide", [&](const SosJob& asked) {
            SosJob job = asked;
            job.plan = &kernel.plan();
            const auto bytes = static_cast<std::size_t>((wide::table.sos_workspace(kernel.plan(), channels, task) * 8 + 63) / 64 * 64);
            double* workspace = static_cast<double*>(std::aligned_alloc(64, bytes));
            wide::table.sos_run(job, workspace);
            std::free(workspace);
        });
    }
}

}  // namespace

int main() {
    for (const std::int64_t channels : {1, 3, 8, 11})
        for (const bool exact : {false, true}) {
            for (const std::int64_t count : {1, 2, 3, 4, 6}) {
                same_bytes<std::int16_t, float>(count, channels, 2048 + 259, exact, false);
                same_bytes<float, float>(count, channels, 2048 + 259, exact, true);
            }
            for (const std::int64_t n : {1, 2, 3, 2049}) same_bytes<float, float>(3, channels, n, exact, false);
            same_bytes<std::int8_t, float>(3, channels, 2100, exact, false);
            same_bytes<std::uint8_t, double>(3, channels, 2100, exact, false);
            same_bytes<std::uint16_t, double>(3, channels, 2100, exact, false);
            same_bytes<std::int32_t, double>(3, channels, 2100, exact, false);
            same_bytes<std::uint32_t, double>(3, channels, 2100, exact, false);
            same_bytes<std::int64_t, double>(3, channels, 2100, exact, false);
            same_bytes<std::uint64_t, double>(3, channels, 2100, exact, false);
            same_bytes<double, double>(3, channels, 4200, exact, true);
        }
    return check::report();
}
