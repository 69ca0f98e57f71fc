#include "headrace/isa.hpp"

#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "headrace/kernels.hpp"

namespace headrace {

namespace {

#if defined(HEADRACE_AVX2_COPY)
bool has_bit_instructions() {
    return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("popcnt");
}
#endif

bool machine_has(Isa isa) {
    switch (isa) {
#if defined(HEADRACE_AVX512_COPY)
        case Isa::avx512:
            return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vl") && has_bit_instructions();
#endif
#if defined(HEADRACE_AVX2_COPY)
        case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_bit_instructions();
#endif
        default: return isa == Isa::portable;
    }
}

constexpr Isa all_isas[] = {Isa::portable, Isa::avx2, Isa::avx512};
constexpr int undecided = -1;
// The value is all there is to read: whoever sees it needs nothing else that its writer wrote, so relaxed order suffices.
std::atomic<int> chosen{undecided};

Isa parse(std::string_view wanted, const char* where) {
    std::string known;
    for (const Isa isa : available_isas()) {
        if (name(isa) == wanted) return isa;
        known += (known.empty() ? "" : ", ") + std::string(name(isa));
    }
    throw std::invalid_argument(std::string(where) + " is \"" + std::string(wanted) + "\", but this machine offers: " + known);
}

}  // namespace

std::string_view name(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "portable"; }

std::vector<Isa> available_isas() {
    std::vector<Isa> found;
    for (const Isa isa : all_isas)
        if (machine_has(isa)) found.push_back(isa);
    return found;
}

Isa current_isa() {
    int isa = chosen.load(std::memory_order_relaxed);
    if (isa == undecided) {
        const char* wanted = std::getenv("HEADRACE_ISA");
        const Isa first = wanted != nullptr && *wanted != '\0' ? parse(wanted, "HEADRACE_ISA") : available_isas().back();
        if (chosen.compare_exchange_strong(isa, static_cast<int>(first), std::memory_order_relaxed)) isa = static_cast<int>(first);
    }
    return static_cast<Isa>(isa);
}

void set_isa(std::string_view isa_name) { chosen.store(static_cast<int>(parse(isa_name, "isa")), std::memory_order_relaxed); }

std::vector<std::pair<std::string, bool>> cpu_features() {
#if defined(HEADRACE_AVX2_COPY)
    return {{"sse4.2", __builtin_cpu_supports("sse4.2") != 0},     {"avx", __builtin_cpu_supports("avx") != 0},
            {"avx2", __builtin_cpu_supports("avx2") != 0},         {"fma", __builtin_cpu_supports("fma") != 0},
            {"avx512f", __builtin_cpu_supports("avx512f") != 0},
            {"avx512dq", __builtin_cpu_supports("avx512dq") != 0}, {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
            {"avx512vl", __builtin_cpu_supports("avx512vl") != 0}};
#else
    return {};
#endif
}

const KernelTable& kernels() {
    switch (current_isa()) {
#if defined(HEADRACE_AVX512_COPY)
        case Isa::avx512: return avx512::table;
#endif
#if defined(HEADRACE_AVX2_COPY)
        case Isa::avx2: return avx2::table;
#endif
        default: return portable::table;
    }
}

}  // namespace headrace
