#include "kernels/cpu/peak_loop.h"

#include <gtest/gtest.h>

namespace bitpilot {
namespace {

TEST(PeakLoopTest, IsTheHighestThatTheLimitAllows) {
  for (const Isa limit : AllIsas()) {
    const PeakLoop& chosen = SelectPeakLoop(limit);
    EXPECT_TRUE(Allows(limit, chosen.isa));
    for (const PeakLoop& other : AllPeakLoops()) {
      EXPECT_TRUE(!Allows(limit, other.isa) || other.isa <= chosen.isa) << other.instructions;
    }
  }
}

TEST(PeakLoopTest, RunsOnEveryLevelOfThisCpu) {
  for (const Isa isa : SupportedIsas()) {
    const PeakLoop& loop = SelectPeakLoop(isa);
    EXPECT_GE(loop.macs_per_round, 1) << loop.instructions;
    loop.run(1000);
  }
}

}  // namespace
}  // namespace bitpilot
