// Which compiled copy of the kernels runs. Every copy produces the same bytes, so this choice is about speed alone.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace headrace {

enum class Isa : int { portable = 0, avx2 = 1, avx512 = 2 };

std::string_view name(Isa isa);

// The copies that this build holds and this machine can run, narrowest first; `portable` is always one of them.
std::vector<Isa> available_isas();

// The copy in use. The first call honours the environment variable HEADRACE_ISA and otherwise takes the widest.
// Throws std::invalid_argument when that variable names a copy that is unknown or unavailable.
Isa current_isa();

// Takes effect for calls that start afterwards, in all threads. Throws std::invalid_argument.
void set_isa(std::string_view isa_name);

// The processor's features that the choice looks at, by their usual names.
std::vector<std::pair<std::string, bool>> cpu_features();

}  // namespace headrace
