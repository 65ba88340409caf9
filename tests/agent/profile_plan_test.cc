#include "agent/profile/profile_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>

#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

TEST(ParseBitsListTest, ReadsRangesAndLists) {
  EXPECT_EQ(ParseBitsList("2..8").value(), (std::vector<int>{2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(ParseBitsList("2,4,8").value(), (std::vector<int>{2, 4, 8}));
  EXPECT_EQ(ParseBitsList("3..3").value(), (std::vector<int>{3}));
  EXPECT_EQ(ParseBitsList("4").value(), (std::vector<int>{4}));
}

TEST(ParseBitsListTest, RefusesAnythingElseAndQuotesIt) {
  for (const char* text : {"", "0..8", "2..9", "8..2", "4,2", "4,4", "2,,4", "2,4,", "two", "2...8",
                           "2..", "-2", "2 ..8", "99999999999"}) {
    const auto bits = ParseBitsList(text);
    ASSERT_FALSE(bits.ok()) << text;
    EXPECT_EQ(bits.status().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(bits.status().message().find('"' + std::string(text) + '"'), std::string::npos);
  }
}

// How often each operation meets each pair of widths in the networks that the table learns from.
std::map<std::tuple<int, int, int>, int> CountPairs(const Topology& topology,
                                                    const ProfilePlan& plan) {
  std::map<std::tuple<int, int, int>, int> counts;
  const std::vector<int> layers = LayerOperations(topology);
  for (const ProfileJob& job : plan.jobs) {
    if (job.is_check) continue;
    for (const BitAssignment& assignment : job.assignments) {
      for (std::size_t l = 0; l < layers.size(); ++l) {
        const Operation& op = topology.operations[static_cast<std::size_t>(layers[l])];
        ++counts[{static_cast<int>(l), assignment.weight_bits[l].front().bits,
                  assignment.activation_bits[static_cast<std::size_t>(op.input)]}];
      }
    }
  }
  return counts;
}

TEST(ProfilePlanTest, EveryLayerMeetsEveryPairOfWidthsEquallyOften) {
  const Topology topology = StandardTopology("resnet20").value();
  for (const bool quick : {true, false}) {
    const ProfilePlan plan = MakeProfilePlan(topology, {"resnet20", {2, 3, 4, 5, 6, 7, 8}, quick});
    const int squares = quick ? 2 : 4;  // of 49 networks
    const auto counts = CountPairs(topology, plan);
    // The first layer always reads the image: seven pairs, each in a whole row of every square.
    EXPECT_EQ(counts.size(), 7u + 19u * 49u);
    for (const auto& [key, count] : counts) {
      const auto& [layer, weights, activations] = key;
      EXPECT_EQ(count, layer == 0 ? 7 * squares : squares);
      if (layer == 0) {
        EXPECT_EQ(activations, 8);
      }
    }
  }
}

TEST(ProfilePlanTest, EveryJobFitsOneRequestAndEveryAssignmentIsValid) {
  const Topology topology = StandardTopology("resnet8").value();
  const ProfilePlan plan = MakeProfilePlan(topology, {"resnet8", {2, 8}, true});
  for (const ProfileJob& job : plan.jobs) {
    EXPECT_FALSE(job.assignments.empty());
    EXPECT_LE(job.assignments.size(), 7u);
    for (const BitAssignment& assignment : job.assignments)
      EXPECT_TRUE(ValidateAssignment(topology, assignment).ok());
  }
}

TEST(ProfilePlanTest, HoldsBackNetworksThatItDoesNotLearnFrom) {
  const Topology topology = StandardTopology("resnet20").value();
  const ProfilePlan plan = MakeProfilePlan(topology, {"resnet20", {2, 3, 4, 5, 6, 7, 8}, true});
  std::set<std::string> learned;
  int checks = 0;
  for (const ProfileJob& job : plan.jobs) {
    for (const BitAssignment& assignment : job.assignments) {
      if (!job.is_check) {
        EXPECT_EQ(checks, 0) << "checks come last";
        learned.insert(AssignmentId(assignment));
      } else {
        EXPECT_EQ(learned.count(AssignmentId(assignment)), 0u);
        ++checks;
      }
    }
  }
  EXPECT_EQ(learned.size(), 98u);
  EXPECT_EQ(checks, 21);
}

TEST(ProfilePlanTest, IsTheSameEachTimeSoThatAProfileCanGoOn) {
  const Topology topology = StandardTopology("resnet8").value();
  const ProfileSettings settings{"resnet8", {3, 5}, false};
  const ProfilePlan first = MakeProfilePlan(topology, settings);
  const ProfilePlan second = MakeProfilePlan(topology, settings);
  ASSERT_EQ(first.jobs.size(), second.jobs.size());
  for (std::size_t i = 0; i < first.jobs.size(); ++i)
    EXPECT_EQ(first.jobs[i].assignments, second.jobs[i].assignments);
}

TEST(ProfilePlanTest, OneWidthIsMeasuredAFewTimesNotNinety) {
  const Topology topology = StandardTopology("resnet8").value();
  int learned = 0;
  for (const ProfileJob& job : MakeProfilePlan(topology, {"resnet8", {4}, true}).jobs)
    learned += job.is_check ? 0 : static_cast<int>(job.assignments.size());
  EXPECT_EQ(learned, 10);
}

TEST(MakeProfilePlanTest, ABoundedProfileBeginsWithOneWidthEverywhereAndHasNoChecks) {
  for (const char* model : {"resnet8", "mobilenet-v1-025"}) {
    SCOPED_TRACE(model);
    const Topology topology = StandardTopology(model).value();
    for (const std::vector<int>& bits :
         {std::vector<int>{2, 3, 4, 5, 6, 7, 8}, std::vector<int>{1, 8}, std::vector<int>{8}}) {
      const ProfilePlan plan = MakeProfilePlan(topology, {model, bits, true, /*bounded=*/true});
      EXPECT_EQ(plan.tier, Tier::kScreen);
      ASSERT_FALSE(plan.jobs.empty());
      std::size_t networks = 0;
      for (const ProfileJob& job : plan.jobs) {
        EXPECT_FALSE(job.is_check);
        EXPECT_FALSE(job.assignments.empty());
        EXPECT_LE(job.assignments.size(), 7U);
        networks += job.assignments.size();
      }
      EXPECT_LE(networks, 60U);
      if (bits.size() == 1) continue;
      ASSERT_EQ(plan.jobs.front().assignments.size(), bits.size() - 1);
      for (std::size_t i = 0; i + 1 < bits.size(); ++i) {
        EXPECT_EQ(plan.jobs.front().assignments[i],
                  UniformAssignment(topology, bits[i], bits[i], true));
      }
    }
  }
}

}  // namespace
}  // namespace bitpilot
