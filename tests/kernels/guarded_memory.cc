#include "tests/kernels/guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace bitpilot {
namespace {

std::size_t PageBytes() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t RoundUpTo(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

// One mapping: a page that holds the mapping's size and is then protected, the pages of the memory, a protected page.
void* AllocateGuarded(std::size_t size, std::size_t alignment, GuardedSide side) {
  const std::size_t page = PageBytes();
  const std::size_t used = RoundUpTo(size == 0 ? 1 : size, alignment);
  const std::size_t pages = RoundUpTo(used, page);
  const std::size_t total = page + pages + page;
  void* const mapped =
      mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::uint8_t*>(mapped);
  *reinterpret_cast<std::size_t*>(begin) = total;
  if (mprotect(begin, page, PROT_NONE) != 0 ||
      mprotect(begin + page + pages, page, PROT_NONE) != 0) {
    munmap(mapped, total);
    throw std::bad_alloc();
  }
  return begin + page + (side == GuardedSide::kBehind ? pages - used : 0);
}

void FreeGuarded(void* memory) noexcept {
  if (memory == nullptr) return;
  const std::size_t page = PageBytes();
  auto* const first_page = reinterpret_cast<std::uint8_t*>(
      reinterpret_cast<std::uintptr_t>(memory) / page * page - page);
  if (mprotect(first_page, page, PROT_READ) != 0) return;
  munmap(first_page, *reinterpret_cast<std::size_t*>(first_page));
}

}  // namespace bitpilot
