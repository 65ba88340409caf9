#include "tests/kernels/largest_allocation.h"

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/kernels/guarded_memory.h"

namespace {
std::atomic<std::size_t> largest = 0;

// What is aligned for vectors, but for large pages: those are read as a whole anyway.
bool IsGuarded(std::align_val_t alignment) { return static_cast<std::size_t>(alignment) <= 64; }

void FreeAligned(void* memory, std::align_val_t alignment) noexcept {
  if (IsGuarded(alignment)) {
    bitpilot::FreeGuarded(memory);
  } else {
    std::free(memory);
  }
}
}  // namespace

// In a file of their own: inlined into their callers, GCC takes malloc and free for a mismatch with
// new and delete.
void* operator new(std::size_t size) {
  if (size > largest) largest = size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
// It calls the first, unless the address sanitizer replaces it.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (size > largest) largest = size;
  return std::malloc(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  if (size > largest) largest = size;
  const auto bytes = static_cast<std::size_t>(alignment);
  if (IsGuarded(alignment)) {
    return bitpilot::AllocateGuarded(size, bytes, bitpilot::GuardedSide::kBehind);
  }
  if (void* memory = std::aligned_alloc(bytes, (size + bytes - 1) / bytes * bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t alignment) noexcept {
  FreeAligned(memory, alignment);
}
void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
  FreeAligned(memory, alignment);
}

namespace bitpilot {

std::size_t LargestAllocation() { return largest; }
void ResetLargestAllocation() { largest = 0; }

}  // namespace bitpilot
