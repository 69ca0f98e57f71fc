#define HEADRACE_ISA_NS wide
#define HEADRACE_MAX_LANES 8
#include "column.inl"
