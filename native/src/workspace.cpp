#include "headrace/workspace.hpp"

#include <cstdlib>
#include <new>

namespace headrace {

namespace {

constexpr std::int64_t page = 4096;
constexpr std::int64_t kept_limit = std::int64_t{1} << 20;

}  // namespace

std::int64_t workspace_size(std::int64_t doubles) { return (doubles * 8 + page - 1) / page * page; }

void Workspace::Free::operator()(double* p) const { std::free(p); }

Workspace::Memory Workspace::allocate(std::size_t bytes) {
    Memory memory(static_cast<double*>(std::aligned_alloc(page, bytes)));
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

Workspace::Workspace(std::int64_t doubles) {
    thread_local Memory kept;
    thread_local std::int64_t kept_bytes = 0;
    const std::int64_t bytes = workspace_size(doubles);
    if (bytes > kept_limit) {
        own_ = allocate(static_cast<std::size_t>(bytes));
        data_ = own_.get();
        return;
    }
    if (kept_bytes < bytes) {
        kept_bytes = 0;
        kept.reset();
        kept = allocate(static_cast<std::size_t>(bytes));
        kept_bytes = bytes;
    }
    data_ = kept.get();
}

}  // namespace headrace
