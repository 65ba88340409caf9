#include "policies/random_stream.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace bitpilot {
namespace {

std::string State(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
  char text[65];
  std::snprintf(text, sizeof text, "%016llx%016llx%016llx%016llx",
                static_cast<unsigned long long>(a), static_cast<unsigned long long>(b),
                static_cast<unsigned long long>(c), static_cast<unsigned long long>(d));
  return text;
}

// By hand from state (1, 2, 3, 4): rotl(2 * 5, 7) * 9 = 1280 * 9 = 11520. Then s1 becomes 2 ^ (3 ^
// 1) = 0, and the next output, from s1, is 0. Then the third: s1 = 0 ^ s2 ^ s0 with s0 = 1 ^ (4 ^
// 2) = 7, s2 = (3 ^ 1) ^ (2 << 17) = 262146, so s1 = 262149 and rotl(1310745, 7) * 9 = 1509978240.
TEST(RandomStreamTest, FollowsTheGeneratorComputedByHand) {
  RandomStream random(0, "any");
  ASSERT_TRUE(random.Load(State(1, 2, 3, 4)).ok());
  EXPECT_EQ(random.NextBits(), 11520U);
  EXPECT_EQ(random.NextBits(), 0U);
  EXPECT_EQ(random.NextBits(), 1509978240U);
}

TEST(RandomStreamTest, NamesCountersAndSeedsGiveDifferentStreams) {
  std::set<std::uint64_t> first;
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    for (const char* name : {"", "a", "b", "ab"}) {
      for (const std::uint64_t counter : {0U, 1U, 2U}) {
        first.insert(RandomStream(seed, name, counter).NextBits());
      }
    }
  }
  EXPECT_EQ(first.size(), 3U * 4U * 3U);
}

TEST(RandomStreamTest, ContinuesAfterLoadExactlyWhereItWasSaved) {
  RandomStream original(7, "training");
  for (int i = 0; i < 13; ++i) {
    original.NextNormal();
  }
  RandomStream restored(0, "");
  ASSERT_TRUE(restored.Load(original.Save()).ok());
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(restored.NextBits(), original.NextBits());
  }
}

TEST(RandomStreamTest, RefusesDamagedStatesAndStaysUnchanged) {
  RandomStream random(7, "training");
  const std::string before = random.Save();
  for (const std::string& text :
       {std::string(), std::string(64, '0'), before.substr(1), before + "0", "g" + before.substr(1),
        "-" + before.substr(1), std::string(64, ' ')}) {
    EXPECT_EQ(random.Load(text).code(), StatusCode::kDataCorrupt) << text;
  }
  EXPECT_EQ(random.Save(), before);
}

TEST(RandomStreamTest, IndicesAreInRangeAndEquallyLikely) {
  RandomStream random(1, "index");
  EXPECT_EQ(random.NextIndex(1), 0);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70'000; ++i) {
    ++counts.at(static_cast<std::size_t>(random.NextIndex(7)));
  }
  // Binomial with mean 10,000 and standard deviation 93: five of them.
  for (const int count : counts) {
    EXPECT_NEAR(count, 10'000, 465);
  }
}

TEST(RandomStreamTest, UniformAndNormalNumbersHaveTheirMoments) {
  RandomStream random(1, "moments");
  constexpr int kCount = 100'000;
  double uniform = 0.0;
  double normal = 0.0;
  double square = 0.0;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.NextUniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    uniform += u;
    const double n = random.NextNormal();
    normal += n;
    square += n * n;
  }
  // Five standard errors: 0.2887, 1 and sqrt(2), over sqrt(100,000).
  EXPECT_NEAR(uniform / kCount, 0.5, 0.0046);
  EXPECT_NEAR(normal / kCount, 0.0, 0.0159);
  EXPECT_NEAR(square / kCount, 1.0, 0.0224);
}

}  // namespace
}  // namespace bitpilot
