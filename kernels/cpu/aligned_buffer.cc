#include "kernels/cpu/aligned_buffer.h"

#include <cstring>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace bitpilot {
namespace {

// A wish: without large pages the memory is as good, and slower.
void AskForLargePages([[maybe_unused]] std::uint8_t* data, [[maybe_unused]] std::size_t size) {
#ifdef MADV_HUGEPAGE
  madvise(data, size, MADV_HUGEPAGE);
#endif
}

}  // namespace

void AlignedBuffer::Free::operator()(std::uint8_t* data) const {
  ::operator delete(data, alignment);
}

AlignedBuffer::AlignedBuffer(std::size_t size) : size_(size) {
  const bool is_large = size >= kLargePageBytes;
  const std::align_val_t alignment{is_large ? kLargePageBytes : kAlignment};
  const std::size_t allocated = is_large ? RoundUp(size, kLargePageBytes) : size;
  owned_ = {static_cast<std::uint8_t*>(::operator new(allocated, alignment)), Free{alignment}};
  data_ = owned_.get();
  if (is_large) {
    AskForLargePages(data_, allocated);
  }
  std::memset(data_, 0, size);
}

void AlignedBuffer::MoveTo(std::uint8_t* memory) {
  if (size_ > 0) {
    std::memcpy(memory, data_, size_);
  }
  data_ = memory;
  owned_.reset();
}

AlignedBuffer Gather(std::span<AlignedBuffer* const> buffers) {
  std::size_t total = 0;
  for (const AlignedBuffer* buffer : buffers) {
    total += RoundUp(buffer->size(), AlignedBuffer::kAlignment);
  }
  AlignedBuffer all(total);
  std::uint8_t* place = all.data();
  for (AlignedBuffer* buffer : buffers) {
    buffer->MoveTo(place);
    place += RoundUp(buffer->size(), AlignedBuffer::kAlignment);
  }
  return all;
}

}  // namespace bitpilot
