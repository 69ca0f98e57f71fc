#define HEADRACE_ISA_NS avx512
#define HEADRACE_MAX_LANES 8
#define HEADRACE_SECTIONS_AT_ONCE 2
#include "sos.inl"
