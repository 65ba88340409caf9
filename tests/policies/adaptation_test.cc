#include "policies/adaptation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/policies/width_variables.h"

namespace bitpilot {
namespace {

TEST(WidthIndexTest, NumbersEveryWidthOfEveryVariable) {
  const WidthIndex index({VariableOf({2, 4, 8}), VariableOf({8}), VariableOf({4, 8})});
  EXPECT_EQ(index.num_variables(), 3);
  EXPECT_EQ(index.num_widths(), 6);
  EXPECT_EQ(index.Of(0, 2), 0);
  EXPECT_EQ(index.Of(0, 8), 2);
  EXPECT_EQ(index.Of(1, 8), 3);
  EXPECT_EQ(index.Of(2, 8), 5);
  EXPECT_EQ(index.Position(2, 8), 1);
}

TEST(AdaptationTest, StartsAtEightBitsAndAQuarterForEachHalvingOfTheWidth) {
  const WidthIndex index({VariableOf({2, 4, 8}), VariableOf({2, 4})});
  const Adaptation start(index);
  EXPECT_EQ(start.Missing({8, 4}), (std::vector<double>{0.0, 0.75}));
  EXPECT_EQ(start.Missing({4, 2}), (std::vector<double>{0.75, 0.9375}));
  EXPECT_EQ(start.Missing({2, 2}), (std::vector<double>{0.9375, 0.9375}));
}

TEST(AdaptationTest, MissesAQuarterWithEachBitFromFourBitsOn) {
  const WidthIndex index({VariableOf({3, 4, 5, 6, 7, 8})});
  const Adaptation start(index);
  EXPECT_DOUBLE_EQ(start.Missing({3})[0], 1.0 - 9.0 / 64.0);
  double missing = 0.75;
  for (const int width : {4, 5, 6, 7}) {
    EXPECT_NEAR(start.Missing({width})[0], missing, 1e-12) << width;
    missing /= 4.0;
  }
  EXPECT_EQ(start.Missing({8})[0], 0.0);
}

TEST(AdaptationTest, DoesNotDependOnWhichOtherWidthsAVariableMayTake) {
  const WidthIndex few({VariableOf({2, 4})});
  const WidthIndex many({VariableOf({1, 2, 3, 4, 5, 6, 7, 8})});
  Adaptation of_few(few);
  Adaptation of_many(many);
  for (const int trained : {4, 2, 4}) {
    for (const int width : {2, 4}) EXPECT_EQ(of_few.Missing({width}), of_many.Missing({width}));
    of_few = of_few.After({trained}, 10.0, 25.0);
    of_many = of_many.After({trained}, 10.0, 25.0);
  }
  for (const int width : {2, 4}) EXPECT_EQ(of_few.Missing({width}), of_many.Missing({width}));
}

TEST(AdaptationTest, MovesTowardsWhatIsTrainedAndAwayFromTheRest) {
  const WidthIndex index({VariableOf({2, 4, 8})});
  const Adaptation after = Adaptation(index).After({2}, /*batches=*/20.0, /*tau=*/20.0);
  const double rest = std::exp(-1.0);
  EXPECT_NEAR(after.Missing({2})[0], 0.9375 * rest, 1e-12);
  EXPECT_NEAR(after.Missing({8})[0], 0.9375 * (1.0 - rest), 1e-12);
}

TEST(AdaptationTest, DoesNotDependOnHowTrainingIsCutIntoSteps) {
  const WidthIndex index({VariableOf({2, 4, 8}), VariableOf({2, 4, 8})});
  const Adaptation once = Adaptation(index).After({2, 4}, 30.0, 25.0);
  const Adaptation twice = Adaptation(index).After({2, 4}, 10.0, 25.0).After({2, 4}, 20.0, 25.0);
  for (const Choice& choice : {Choice{2, 2}, Choice{4, 4}, Choice{8, 8}}) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_NEAR(once.Missing(choice)[static_cast<std::size_t>(i)],
                  twice.Missing(choice)[static_cast<std::size_t>(i)], 1e-12);
    }
  }
}

TEST(AdaptationTest, StaysWhereNothingTrains) {
  const WidthIndex index({VariableOf({2, 8})});
  EXPECT_EQ(Adaptation(index).After({2}, 0.0, 25.0).Missing({2}), Adaptation(index).Missing({2}));
}

}  // namespace
}  // namespace bitpilot
