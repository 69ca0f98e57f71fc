#define HEADRACE_ISA_NS portable
#define HEADRACE_MAX_LANES 2
#define HEADRACE_SECTIONS_AT_ONCE 2
#include "sos.inl"
