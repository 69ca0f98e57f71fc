#define HEADRACE_ISA_NS wide
#define HEADRACE_MAX_LANES 8
#define HEADRACE_SECTIONS_AT_ONCE 2
#include "sos.inl"
