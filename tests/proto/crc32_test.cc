#include "proto/crc32.h"

#include <gtest/gtest.h>

#include <string>

namespace bitpilot {
namespace {

// The check value that the catalogue of CRC algorithms gives for CRC-32/ISO-HDLC.
TEST(Crc32Test, EqualsTheCatalogueCheckValue) { EXPECT_EQ(Crc32("123456789"), 0xCBF43926U); }

TEST(Crc32Test, OfNothingIsZero) { EXPECT_EQ(Crc32(""), 0U); }

TEST(Crc32Test, SeesEveryFlippedBit) {
  const std::string original(64, '\x5A');
  const std::uint32_t expected = Crc32(original);
  for (std::size_t bit = 0; bit < original.size() * 8; ++bit) {
    std::string damaged = original;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(Crc32(damaged), expected) << "bit " << bit;
  }
}

}  // namespace
}  // namespace bitpilot
