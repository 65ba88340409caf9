#include "kernels/cpu/aligned_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace bitpilot {
namespace {

bool IsAligned(const std::uint8_t* data, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(data) % alignment == 0;
}

AlignedBuffer BufferOf(std::size_t size, std::uint8_t value) {
  AlignedBuffer buffer(size);
  std::fill_n(buffer.data(), size, value);
  return buffer;
}

TEST(AlignedBufferTest, IsAlignedAndZero) {
  for (const std::size_t size : {1U, 64U, 65U, 100'000U}) {
    const AlignedBuffer buffer(size);
    EXPECT_EQ(buffer.size(), size);
    EXPECT_TRUE(IsAligned(buffer.data(), 64)) << size;
    EXPECT_EQ(std::count(buffer.data(), buffer.data() + size, 0),
              static_cast<std::ptrdiff_t>(size));
  }
}

TEST(AlignedBufferTest, BeginsWithALargePageIfItFillsOne) {
  const AlignedBuffer buffer(AlignedBuffer::kLargePageBytes + 1);
  EXPECT_EQ(buffer.size(), AlignedBuffer::kLargePageBytes + 1);
  EXPECT_TRUE(IsAligned(buffer.data(), AlignedBuffer::kLargePageBytes));
  EXPECT_EQ(buffer.data()[AlignedBuffer::kLargePageBytes], 0);
}

TEST(GatherTest, MovesBuffersIntoOneInOrderEachAligned) {
  std::vector<AlignedBuffer> buffers;
  buffers.push_back(BufferOf(100, 1));
  buffers.emplace_back();
  buffers.push_back(BufferOf(64, 2));
  buffers.push_back(BufferOf(1, 3));
  std::vector<AlignedBuffer*> pointers;
  for (AlignedBuffer& buffer : buffers) pointers.push_back(&buffer);
  const AlignedBuffer all = Gather(pointers);
  EXPECT_EQ(all.size(), 128U + 64U + 64U);
  EXPECT_EQ(buffers[0].data(), all.data());
  EXPECT_EQ(buffers[2].data(), all.data() + 128);
  EXPECT_EQ(buffers[3].data(), all.data() + 192);
  EXPECT_EQ(buffers[0].size(), 100U);
  EXPECT_EQ(std::count(all.data(), all.data() + 100, 1), 100);
  EXPECT_EQ(std::count(all.data() + 128, all.data() + 192, 2), 64);
  EXPECT_EQ(all.data()[192], 3);
}

TEST(GatherTest, MakesNothingOfNothing) { EXPECT_EQ(Gather({}).size(), 0U); }

}  // namespace
}  // namespace bitpilot
