#include "tests/kernels/guarded_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>

#include "kernels/cpu/aligned_buffer.h"

namespace bitpilot {
namespace {

std::uint8_t Read(const std::uint8_t* byte) {
  return *static_cast<const volatile std::uint8_t*>(byte);
}

TEST(GuardedMemoryDeathTest, EndsATestThatReadsBehindIt) {
  for (const std::size_t size : {1U, 63U, 4096U, 10'000U}) {
    const GuardedVector<std::uint8_t> bytes(size);
    EXPECT_EQ(Read(bytes.data() + size - 1), 0);
    EXPECT_DEATH(Read(bytes.data() + size), "") << size;
  }
}

TEST(GuardedMemoryDeathTest, EndsATestThatReadsBeforeIt) {
  const GuardedVector<std::uint8_t> bytes(100, 0,
                                          GuardedAllocator<std::uint8_t>(GuardedSide::kBefore));
  EXPECT_EQ(Read(bytes.data()), 0);
  EXPECT_DEATH(Read(bytes.data() - 1), "");
}

TEST(GuardedMemoryTest, HoldsValuesAndIsAligned) {
  GuardedVector<std::int32_t> words(1'000);
  std::iota(words.begin(), words.end(), 0);
  EXPECT_EQ(std::accumulate(words.begin(), words.end(), 0), 499'500);
  void* const memory = AllocateGuarded(100, 64, GuardedSide::kBehind);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0U);
  FreeGuarded(memory);
}

// Weights, activations and scratch memory of whole networks (largest_allocation.cc gives it to them).
TEST(GuardedMemoryDeathTest, HoldsTheMemoryOfNetworksInThisProgram) {
  const AlignedBuffer buffer(128);
  EXPECT_EQ(Read(buffer.data() + 127), 0);
  EXPECT_DEATH(Read(buffer.data() + 128), "");
}

}  // namespace
}  // namespace bitpilot
