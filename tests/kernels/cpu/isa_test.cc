#include "kernels/cpu/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace bitpilot {
namespace {

// Sets BITPILOT_FORCE_ISA for one test.
class ForcedIsa {
 public:
  explicit ForcedIsa(const std::string& name) {
    setenv("BITPILOT_FORCE_ISA", name.c_str(), /*replace=*/1);
  }
  ~ForcedIsa() { unsetenv("BITPILOT_FORCE_ISA"); }
};

TEST(IsaTest, ParsesItsOwnNames) {
  for (const Isa isa : AllIsas()) {
    const Result<Isa> parsed = ParseIsa(ToString(isa));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(*parsed, isa);
  }
}

TEST(IsaTest, AnswersAnUnknownNameWithTheKnownOnes) {
  const Result<Isa> parsed = ParseIsa("avx3");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(parsed.status().message().find("'avx3'"), std::string::npos);
  EXPECT_NE(parsed.status().message().find("scalar, scalar-popcnt, sse4, avx2"), std::string::npos);
}

TEST(AllowsTest, IncludesEveryLevelBelowTheLimit) {
  for (const Isa isa : AllIsas()) {
    EXPECT_TRUE(Allows(isa, isa));
    EXPECT_TRUE(Allows(isa, Isa::kScalar));
  }
  EXPECT_TRUE(Allows(Isa::kAvx512Vnni, Isa::kAvx2));
  EXPECT_TRUE(Allows(Isa::kAmx, Isa::kAvx512Vnni));
  EXPECT_FALSE(Allows(Isa::kAvx2, Isa::kAvxVnni));
  EXPECT_FALSE(Allows(Isa::kScalar, Isa::kScalarPopcnt));
}

// The 256-bit dot products have an encoding of their own, which 512-bit CPUs may lack.
TEST(AllowsTest, KeepsTheTwoVnniLevelsApart) {
  EXPECT_FALSE(Allows(Isa::kAvx512Vnni, Isa::kAvxVnni));
  EXPECT_FALSE(Allows(Isa::kAvxVnni, Isa::kAvx512Vnni));
  EXPECT_TRUE(Allows(Isa::kAvxVnni, Isa::kAvx2));
}

// The first level with some features has no more than they imply.
TEST(LevelWithTest, IsTheLowestThatHasThem) {
  EXPECT_EQ(LevelWith({}), Isa::kScalar);
  EXPECT_EQ(LevelWith(CpuFeature::kSse4), Isa::kSse4);
  EXPECT_EQ(LevelWith(CpuFeature::kAvx512Vnni), Isa::kAvx512Vnni);
  EXPECT_EQ(LevelWith(CpuFeature::kAvx2 | CpuFeature::kAmx), Isa::kAmx);
  for (const Isa isa : AllIsas()) EXPECT_EQ(LevelWith(FeaturesOf(isa)), isa) << ToString(isa);
}

TEST(CpuFeaturesTest, AreASet) {
  constexpr CpuFeatures kBoth = CpuFeature::kSse4 | CpuFeature::kAmx;
  EXPECT_TRUE(kBoth.Includes(CpuFeature::kAmx));
  EXPECT_TRUE(kBoth.Includes({}));
  EXPECT_FALSE(CpuFeatures(CpuFeature::kAmx).Includes(kBoth));
  EXPECT_TRUE(kBoth.Intersects(CpuFeature::kSse4 | CpuFeature::kAvx2));
  EXPECT_FALSE(kBoth.Intersects(CpuFeature::kAvx2));
  EXPECT_FALSE(kBoth.Intersects({}));
}

TEST(SupportedIsasTest, ListsWhatTheCpuSupportsInAscendingOrder) {
  const std::vector<Isa> supported = SupportedIsas();
  EXPECT_EQ(supported.front(), Isa::kScalar);
  EXPECT_TRUE(std::is_sorted(supported.begin(), supported.end()));
  for (const Isa isa : AllIsas()) {
    EXPECT_EQ(std::count(supported.begin(), supported.end(), isa), CpuSupports(isa) ? 1 : 0);
  }
}

TEST(DefaultIsaTest, IsTheHighestSupported) {
  unsetenv("BITPILOT_FORCE_ISA");
  EXPECT_EQ(DefaultIsa().value(), SupportedIsas().back());
}

TEST(DefaultIsaTest, FollowsTheEnvironment) {
  const ForcedIsa forced("scalar");
  EXPECT_EQ(DefaultIsa().value(), Isa::kScalar);
}

TEST(DefaultIsaTest, ReportsAnUnknownNameInTheEnvironment) {
  const ForcedIsa forced("mmx");
  const Result<Isa> isa = DefaultIsa();
  ASSERT_FALSE(isa.ok());
  EXPECT_EQ(isa.status().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(isa.status().message().find("BITPILOT_FORCE_ISA"), std::string::npos);
}

TEST(DefaultIsaTest, RefusesToForceWhatTheCpuLacks) {
  const std::vector<Isa> all = AllIsas();
  const auto lacking =
      std::find_if(all.begin(), all.end(), [](Isa isa) { return !CpuSupports(isa); });
  if (lacking == all.end()) {
    GTEST_SKIP() << "this CPU has every instruction set that there is a name for";
  }
  const ForcedIsa forced{std::string(ToString(*lacking))};
  const Result<Isa> isa = DefaultIsa();
  ASSERT_FALSE(isa.ok());
  EXPECT_EQ(isa.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(isa.status().message(), "BITPILOT_FORCE_ISA: " + WhyUnsupported(*lacking));
}

// What the CPU has and Linux does not lend is another matter than what the CPU lacks.
TEST(WhyUnsupportedTest, NamesWhoRefuses) {
  for (const Isa isa : AllIsas()) {
    if (CpuSupports(isa)) continue;
    const std::string reason = WhyUnsupported(isa);
    EXPECT_NE(reason.find(ToString(isa)), std::string::npos) << reason;
    EXPECT_EQ(reason.find("Linux refuses") != std::string::npos, CpuHas(isa)) << reason;
  }
}

}  // namespace
}  // namespace bitpilot
