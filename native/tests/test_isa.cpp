// The choice of the copy.
#include <stdexcept>

#include "check.hpp"
#include "headrace/isa.hpp"
#include "headrace/kernels.hpp"

int main() {
    using namespace headrace;
    CHECK(current_isa() == available_isas().back(), "widest by default");
    for (const Isa isa : available_isas()) {
        set_isa(name(isa));
        CHECK(current_isa() == isa, std::string(name(isa)));
        CHECK(kernels().max_lanes == 2 << static_cast<int>(isa), std::string(name(isa)));
    }
    CHECK(check::throws<std::invalid_argument>([] { set_isa("none such"); }), "unknown name");
    return check::report();
}
