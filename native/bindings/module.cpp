#include <nanobind/nanobind.h>

namespace headrace::bindings {
void bind_arrow(nanobind::module_& m);
void bind_isa(nanobind::module_& m);
void bind_fir(nanobind::module_& m);
void bind_convert(nanobind::module_& m);
void bind_sos(nanobind::module_& m);
void bind_spatial(nanobind::module_& m);
void bind_rate(nanobind::module_& m);
void bind_four_step(nanobind::module_& m);
void bind_row_io(nanobind::module_& m);
void bind_running(nanobind::module_& m);
void bind_frames(nanobind::module_& m);
void bind_events(nanobind::module_& m);
}  // namespace headrace::bindings

NB_MODULE(_native, m) {
    // A user's stored exception may keep a kernel alive to the end of the interpreter; that is no fault worth a page of text.
    nanobind::set_leak_warnings(false);
    m.doc() = "Compiled kernels. Same bytes on every ISA; the GIL is released around the work; nothing here starts a thread.";
    headrace::bindings::bind_arrow(m);
    headrace::bindings::bind_isa(m);
    headrace::bindings::bind_fir(m);
    headrace::bindings::bind_convert(m);
    headrace::bindings::bind_sos(m);
    headrace::bindings::bind_spatial(m);
    headrace::bindings::bind_rate(m);
    headrace::bindings::bind_four_step(m);
    headrace::bindings::bind_row_io(m);
    headrace::bindings::bind_running(m);
    headrace::bindings::bind_frames(m);
    headrace::bindings::bind_events(m);
}
