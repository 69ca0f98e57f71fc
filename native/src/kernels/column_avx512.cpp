#define HEADRACE_ISA_NS avx512
#define HEADRACE_MAX_LANES 8
#include "column.inl"
