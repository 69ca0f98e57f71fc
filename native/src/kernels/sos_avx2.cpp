#define HEADRACE_ISA_NS avx2
#define HEADRACE_MAX_LANES 4
#define HEADRACE_SECTIONS_AT_ONCE 2
#include "sos.inl"
