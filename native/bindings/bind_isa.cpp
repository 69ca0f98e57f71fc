#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "headrace/isa.hpp"

namespace headrace::bindings {

namespace nb = nanobind;

void bind_isa(nb::module_& m) {
    m.def(
        "isa", [] { return std::string(name(current_isa())); },
        "Name the copy of the kernels in use: \"avx512\", \"avx2\" or \"portable\".\n\n"
        "The first use takes the environment variable HEADRACE_ISA, or else the widest that this machine runs.");
    m.def(
        "available_isas",
        [] {
            std::vector<std::string> names;
            for (const Isa isa : available_isas()) names.emplace_back(name(isa));
            return names;
        },
        "List the copies that this build holds and this machine runs, narrowest first.");
    m.def(
        "set_isa", [](const std::string& isa_name) { set_isa(isa_name); }, nb::arg("name"),
        "Choose the copy of the kernels for calls that start afterwards, in all threads.\n\n"
        "Results do not change, only their speed. Raises ValueError for a name that is not available.");
    m.def(
        "cpu_features",
        [] {
            nb::typed<nb::dict, nb::str, bool> features;
            for (const auto& [feature, present] : cpu_features()) features[feature.c_str()] = present;
            return features;
        },
        "Map the processor features that the choice looks at to whether this machine has them.");
}

}  // namespace headrace::bindings
