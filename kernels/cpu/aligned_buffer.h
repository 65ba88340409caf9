// Memory for packed weights and activations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace bitpilot {

// The first multiple of `multiple` from `value` on.
constexpr std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Memory aligned for every vector width, zero-initialized. From kLargePageBytes on it is a whole
// number of large pages, if the system has them: what is read once in a run costs a look-up of its
// page each time, and prefetching stops at a page's end.
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;
  static constexpr std::size_t kLargePageBytes = std::size_t{2} << 20;

  AlignedBuffer() = default;
  // Throws std::bad_alloc.
  explicit AlignedBuffer(std::size_t size);

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }

  // Copies the bytes to `memory`, of size() bytes, and frees their own place: they lie there from
  // now on, and no longer than `memory` does.
  void MoveTo(std::uint8_t* memory);

 private:
  struct Free {
    std::align_val_t alignment;
    void operator()(std::uint8_t* data) const;
  };
  std::unique_ptr<std::uint8_t, Free> owned_;
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// Moves the buffers' bytes into one, in order, each aligned.
AlignedBuffer Gather(std::span<AlignedBuffer* const> buffers);

}  // namespace bitpilot
