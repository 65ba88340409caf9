#include "policies/networks_left.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "tests/policies/small_problem.h"

namespace bitpilot {
namespace {

class NetworksLeftTest : public testing::Test {
 protected:
  void Allow(std::map<ClassId, int> slots, int measurements, std::optional<double> seconds) {
    view_.Observed(Conditions{std::move(slots),
                              Totals{.measurements = measurements, .board_seconds = seconds}});
  }

  TicketId Submit(const Choice& choice, std::vector<ClassId> classes) {
    const Trial trial{
        view_.next_ticket(), {choice, Origin::kRandom, "test"}, {}, {}, std::move(classes), 0};
    const Status status = view_.Check(trial);
    EXPECT_TRUE(status.ok()) << status.message();
    view_.Submitted(trial);
    return trial.id;
  }

  void Answer(TicketId id, const std::vector<ClassId>& classes, double seconds) {
    const Measured half{.ratio = 0.5, .ratio_low = 0.5, .ratio_high = 0.5};
    std::vector<ClassOutcome> outcomes;
    for (const ClassId& on : classes) outcomes.push_back({on, half, seconds});
    view_.Observed(TrialOutcome{id, {}, std::nullopt, Scored{1.0, 0.1, 5, 10}, outcomes});
  }

  SearchProblem problem_ = SmallProblem();
  View view_{problem_};
};

TEST_F(NetworksLeftTest, NeedsABoard) {
  Allow({}, 10, std::nullopt);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 0);
}

TEST_F(NetworksLeftTest, CountsANetworkOnceWhateverTheClasses) {
  Allow({{"a", 2}, {"b", 2}}, 10, std::nullopt);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 5);
  Submit({4, 8}, {"a", "b"});
  EXPECT_EQ(NetworksLeftToMeasure(view_), 4);
}

TEST_F(NetworksLeftTest, ExpectsTheEvenShareOfSecondsAtLeast) {
  Allow({{"a", 2}}, 10, 40.0);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 10);
  Answer(Submit({4, 8}, {"a"}), {"a"}, 0.6);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 9);  // 39.4 s at 4 s each
}

TEST_F(NetworksLeftTest, ExpectsMoreThanTheMeanWhereDurationsDiffer) {
  Allow({{"a", 2}}, 10, 40.0);
  Answer(Submit({4, 8}, {"a"}), {"a"}, 1.0);
  Answer(Submit({8, 4}, {"a"}), {"a"}, 9.0);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 3);  // 30 s at 5 s and 4 s more
  Submit({4, 4}, {"a"});
  EXPECT_EQ(NetworksLeftToMeasure(view_), 2);
}

TEST_F(NetworksLeftTest, LetsOneBeginAsLongAsSecondsAreLeft) {
  Allow({{"a", 2}}, 10, 40.0);
  Answer(Submit({4, 8}, {"a"}), {"a"}, 39.0);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 1);
  Answer(Submit({8, 4}, {"a"}), {"a"}, 12.0);
  EXPECT_EQ(NetworksLeftToMeasure(view_), 0);
}

}  // namespace
}  // namespace bitpilot
