// Memory of one call of a kernel.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

namespace headrace {

// Bytes that a workspace of so many doubles takes.
std::int64_t workspace_size(std::int64_t doubles);

// The workspace of one call: the thread's own if it is small, else memory of the call alone. Each thread keeps one of at most 1 MiB until
// it ends: faults on fresh pages would cost several percent of a call. One at a time in a thread. Throws std::bad_alloc.
class Workspace {
public:
    explicit Workspace(std::int64_t doubles);
    double* data() const { return data_; }

private:
    struct Free {
        void operator()(double* p) const;
    };
    using Memory = std::unique_ptr<double, Free>;
    static Memory allocate(std::size_t bytes);

    Memory own_;
    double* data_ = nullptr;
};

}  // namespace headrace
