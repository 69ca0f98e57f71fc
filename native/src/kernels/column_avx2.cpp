#define HEADRACE_ISA_NS avx2
#define HEADRACE_MAX_LANES 4
#include "column.inl"
