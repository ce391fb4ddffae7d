// Memory for weights: zeroed, aligned, and on huge pages where it is large (reading DRAM is twice as fast there).
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deltawave {

constexpr size_t huge_page = size_t(1) << 21;

inline void* allocate_zeroed(size_t bytes) {
    size_t alignment = bytes >= huge_page / 2 ? huge_page : 4096;
    size_t size = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, size ? size : alignment);
    if (!memory) throw std::bad_alloc();
#if defined(__linux__)
    if (alignment == huge_page) madvise(memory, size, MADV_HUGEPAGE);
#endif
    std::memset(memory, 0, size ? size : alignment);
    return memory;
}

// An array of numbers that starts zeroed.
template <class T>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(size_t count)
        : memory(static_cast<T*>(allocate_zeroed(count * sizeof(T))), std::free), count(count) {}

    T* data() const { return memory.get(); }
    size_t size() const { return count; }
    T& operator[](size_t i) const { return memory.get()[i]; }

private:
    std::unique_ptr<T, void (*)(void*)> memory{nullptr, std::free};
    size_t count = 0;
};

}  // namespace deltawave
