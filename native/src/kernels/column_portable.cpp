#define HEADRACE_ISA_NS portable
#define HEADRACE_MAX_LANES 2
#include "column.inl"
