// Memory that ends, or begins, at a page that nobody may touch: a load beyond it ends the test. Sanitizers do not see the
// loads of asm statements, and allow those of vectors that begin inside a buffer's last bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitpilot {

enum class GuardedSide : std::uint8_t {
  kBehind,  // the last byte lies at the protected page, as near as the alignment allows
  kBefore,  // the first byte does
};

// REQUIRES: alignment is a power of two, at most the size of a page.
// Throws std::bad_alloc.
void* AllocateGuarded(std::size_t size, std::size_t alignment, GuardedSide side);
void FreeGuarded(void* memory) noexcept;

template <class T>
class GuardedAllocator {
 public:
  using value_type = T;

  GuardedAllocator() = default;
  explicit GuardedAllocator(GuardedSide side) : side_(side) {}
  template <class U>
  GuardedAllocator(
      const GuardedAllocator<U>& other)  // NOLINT(google-explicit-constructor): as allocators are
      : side_(other.side()) {}

  T* allocate(std::size_t count) {
    return static_cast<T*>(AllocateGuarded(count * sizeof(T), alignof(T), side_));
  }
  void deallocate(T* memory, std::size_t /*count*/) noexcept { FreeGuarded(memory); }

  GuardedSide side() const { return side_; }
  friend bool operator==(const GuardedAllocator&, const GuardedAllocator&) { return true; }

 private:
  GuardedSide side_ = GuardedSide::kBehind;
};

// The guard is exact as long as capacity() is size(): give the size when it is made, and keep it.
template <class T>
using GuardedVector = std::vector<T, GuardedAllocator<T>>;

}  // namespace bitpilot
