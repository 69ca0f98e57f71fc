#include "headrace/sos.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "headrace/workspace.hpp"

namespace headrace {

namespace {

// Responses this far below their largest are left out: far less than a rounding of anything that they are added to.
constexpr long double negligible = 0x1p-120L;
// What a state is computed in before it is rounded once to float64.
using State = std::vector<long double>;

// One sample through all sections.
void advance(const std::vector<double>& coefficients, State& z, long double x) {
    for (std::size_t s = 0; s < z.size() / 2; ++s) {
        const double* c = &coefficients[5 * s];
        const long double y = c[0] * x + z[2 * s];
        z[2 * s] = c[1] * x - c[3] * y + z[2 * s + 1];
        z[2 * s + 1] = c[2] * x - c[4] * y;
        x = y;
    }
}

void raise_to(State& largest, const State& z) {
    for (std::size_t i = 0; i < z.size(); ++i) largest[i] = std::max(largest[i], std::abs(z[i]));
}

bool counts(long double value, long double largest) { return std::abs(value) > negligible * largest; }

double finite(long double value) {
    const double rounded = static_cast<double>(value);
    if (!std::isfinite(rounded)) throw std::invalid_argument("sos grows beyond float64 within a few hundred samples: it is unstable");
    return rounded;
}

std::string text(std::int64_t number) { return std::to_string(number); }

}  // namespace

SosKernel::SosKernel(std::span<const double> sos, bool exact) {
    if (sos.empty() || sos.size() % 6 != 0) throw std::invalid_argument("sos must have at least one row of 6 coefficients");
    for (std::size_t i = 0; i < sos.size(); i += 6) {
        for (std::size_t j = 0; j < 6; ++j)
            if (!std::isfinite(sos[i + j])) throw std::invalid_argument("sos must be finite: section " + std::to_string(i / 6) + " is not");
        if (sos[i + 3] != 1.0) throw std::invalid_argument("sos[:, 3] must be 1: that of section " + std::to_string(i / 6) + " is not");
        for (const std::size_t j : {0, 1, 2, 4, 5}) coefficients_.push_back(sos[i + j]);
    }
    plan_.sections = static_cast<std::int64_t>(sos.size() / 6);
    plan_.padded = (2 * plan_.sections + 7) / 8 * 8;
    plan_.exact = exact;
    if (!exact) find_responses();
    plan_.coefficients = coefficients_.data();
    plan_.response = response_.data();
    plan_.power = power_.data();
}

// In extended precision, so that the state at a block's end is as good as that of the recurrence, or better.
void SosKernel::find_responses() {
    const auto n = static_cast<std::size_t>(2 * plan_.sections), padded = static_cast<std::size_t>(plan_.padded);
    constexpr auto block = static_cast<std::size_t>(sos_block);
    power_.assign(n * padded, 0.0);
    for (std::size_t j = 0; j < n; ++j) {
        State z(n, 0), largest(n, 0);
        z[j] = 1;
        for (std::size_t k = 0; k < block; ++k) {
            raise_to(largest, z);
            advance(coefficients_, z, 0);
        }
        for (std::size_t i = 0; i < n; ++i)
            if (counts(z[i], largest[i])) power_[j * padded + i] = finite(z[i]);
    }
    std::vector<State> after(block, State(n, 0));
    State largest(n, 0);
    for (std::size_t k = 0; k < block; ++k) {
        if (k > 0) after[k] = after[k - 1];
        advance(coefficients_, after[k], k == 0 ? 1 : 0);
        raise_to(largest, after[k]);
    }
    std::size_t memory = block;
    const auto all_negligible = [&](const State& z) {
        for (std::size_t i = 0; i < n; ++i)
            if (counts(z[i], largest[i])) return false;
        return true;
    };
    while (memory > 0 && all_negligible(after[memory - 1])) --memory;
    plan_.memory = static_cast<std::int64_t>(memory);
    response_.assign(memory * padded, 0.0);
    for (std::size_t k = 0; k < memory; ++k)
        for (std::size_t i = 0; i < n; ++i)
            if (counts(after[k][i], largest[i])) response_[(memory - 1 - k) * padded + i] = finite(after[k][i]);
}

std::int64_t SosKernel::grid(std::int64_t channels) const {
    return plan_.exact ? 1 : channels < sos_lanes ? sos_cell : sos_block;
}

std::int64_t SosKernel::workspace_bytes(std::int64_t channels, SosTask task) const {
    return workspace_size(kernels().sos_workspace(plan_, channels, task));
}

void SosKernel::run(const SosJob& asked) const {
    SosJob job = asked;
    job.plan = &plan_;
    if (is_complex(job.in.type) || (job.out.data != nullptr && is_complex(job.out.type)))
        throw std::invalid_argument("x and out must be real: view complex samples as twice as many channels");
    if (job.out.data != nullptr && (job.out.count != job.in.count || job.out.channels != job.in.channels))
        throw std::invalid_argument("x has " + text(job.in.count) + " samples of " + text(job.in.channels) + " channels but out has " +
                                    text(job.out.count) + " of " + text(job.out.channels));
    if (job.task == SosTask::both && job.out.data == nullptr && job.in.count > 0) throw std::invalid_argument("out must be an array");
    if (job.row != 0 && (job.row < job.in.channels || (job.row > job.in.channels && job.in.channels < sos_lanes)))
        throw std::invalid_argument("some of the channels are at least " + text(sos_lanes) + " of them, not " + text(job.in.channels));
    if (job.in.count == 0 || job.in.channels == 0) return;
    const Workspace workspace(kernels().sos_workspace(plan_, job.in.channels, job.task));
    kernels().sos_run(job, workspace.data());
}

}  // namespace headrace
