#include "policies/multiple_choice.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

using Groups = std::vector<std::vector<ChoiceOption>>;

double TotalLoss(const Groups& groups, const OptionIndices& chosen) {
  double total = 0.0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    total += groups[g][chosen[g]].loss;
  }
  return total;
}

bool KeepsLimits(const Groups& groups, const OptionIndices& chosen,
                 const std::vector<double>& limits) {
  for (std::size_t r = 0; r < limits.size(); ++r) {
    double total = 0.0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      total += groups[g][chosen[g]].costs[r];
    }
    if (total > limits[r] * (1.0 + 1e-12)) {
      return false;
    }
  }
  return true;
}

// Tries every combination; infinity if none keeps the limits.
double BruteForceLoss(const Groups& groups, const std::vector<double>& limits) {
  double best = std::numeric_limits<double>::infinity();
  OptionIndices chosen(groups.size(), 0);
  while (true) {
    if (KeepsLimits(groups, chosen, limits)) {
      best = std::min(best, TotalLoss(groups, chosen));
    }
    std::size_t g = 0;
    while (g < groups.size() && ++chosen[g] == groups[g].size()) {
      chosen[g++] = 0;
    }
    if (g == groups.size()) {
      return best;
    }
  }
}

TEST(SolveMultipleChoiceTest, EqualsBruteForceOnRandomProblems) {
  int infeasible = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomStream random(seed, "multiple choice");
    const std::size_t num_limits = 1 + seed % 3;
    Groups groups(1 + seed % 7);
    for (auto& group : groups) {
      for (int k = 0; k < 4; ++k) {
        ChoiceOption option{.loss = random.NextUniform() - 0.3, .costs = {}};
        for (std::size_t r = 0; r < num_limits; ++r) {
          option.costs.push_back(random.NextUniform());
        }
        group.push_back(option);
      }
    }
    const std::vector<double> limits(num_limits, 0.45 * static_cast<double>(groups.size()));
    const double expected = BruteForceLoss(groups, limits);
    const Result<OptionIndices> chosen = SolveMultipleChoice(groups, limits);
    ASSERT_EQ(chosen.ok(), std::isfinite(expected));
    if (!chosen.ok()) {
      EXPECT_EQ(chosen.status().code(), StatusCode::kNotFound);
      ++infeasible;
      continue;
    }
    EXPECT_TRUE(KeepsLimits(groups, *chosen, limits));
    // Costs are rounded up by 2^-20 of a limit each, losses to 2^-20 of about the optimum.
    EXPECT_NEAR(TotalLoss(groups, *chosen), expected, 1e-5);
  }
  EXPECT_GT(infeasible, 0);
  EXPECT_LT(infeasible, 30);
}

TEST(SolveMultipleChoiceTest, MeetsALimitThatIsExactlyTheOnlyCombination) {
  const Groups groups = {{{.loss = 1.0, .costs = {3.0}}, {.loss = 0.0, .costs = {4.0}}},
                         {{.loss = 1.0, .costs = {2.0}}, {.loss = 0.0, .costs = {5.0}}}};
  EXPECT_EQ(SolveMultipleChoice(groups, {5.0}).value(), (OptionIndices{0, 0}));
  EXPECT_FALSE(SolveMultipleChoice(groups, {4.999}).ok());
}

TEST(SolveMultipleChoiceTest, FindsALossFarBelowTheRange) {
  // Two options that ruin everything stretch the range to 1e6 against an optimum of 0.003.
  const Groups groups = {{{.loss = 1e6, .costs = {1.0}},
                          {.loss = 0.002, .costs = {2.0}},
                          {.loss = 0.001, .costs = {3.0}}},
                         {{.loss = 1e6, .costs = {1.0}},
                          {.loss = 0.004, .costs = {2.0}},
                          {.loss = 0.001, .costs = {3.0}}},
                         {{.loss = 0.0, .costs = {0.0}}}};
  // Costs 5 of 5: either group can be the better one; the second gains more.
  EXPECT_EQ(SolveMultipleChoice(groups, {5.0}).value(), (OptionIndices{1, 2, 0}));
}

TEST(SolveMultipleChoiceTest, TakesTheCheaperOfEqualOptions) {
  const Groups groups = {{{.loss = 0.5, .costs = {3.0}},
                          {.loss = 0.5, .costs = {1.0}},
                          {.loss = 0.5, .costs = {1.0}}}};
  EXPECT_EQ(SolveMultipleChoice(groups, {10.0}).value(), (OptionIndices{1}));
}

TEST(SolveMultipleChoiceTest, WorksWithoutLimitsAndWithFreeOptions) {
  const Groups groups = {{{.loss = 2.0, .costs = {}}, {.loss = -1.0, .costs = {}}}};
  EXPECT_EQ(SolveMultipleChoice(groups, {}).value(), (OptionIndices{1}));
  const Groups free = {{{.loss = 2.0, .costs = {0.0}}, {.loss = 1.0, .costs = {0.5}}}};
  EXPECT_EQ(SolveMultipleChoice(free, {0.0}).value(), (OptionIndices{0}));
}

TEST(SolveMultipleChoiceTest, RefusesMalformedProblems) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto code = [](const Groups& groups, const std::vector<double>& limits) {
    return SolveMultipleChoice(groups, limits).status().code();
  };
  EXPECT_EQ(code({}, {}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{}}, {}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{{.loss = 0.0, .costs = {}}}}, {1.0}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{{.loss = nan, .costs = {1.0}}}}, {1.0}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{{.loss = 0.0, .costs = {-1.0}}}}, {1.0}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({{{.loss = 0.0, .costs = {1.0}}}}, {nan}), StatusCode::kInvalidArgument);
}

TEST(SolveMultipleChoiceTest, PrintsNothing) {
  const Groups groups(5, {{.loss = 1.0, .costs = {3.0}}, {.loss = 0.0, .costs = {4.0}}});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_TRUE(SolveMultipleChoice(groups, {17.0}).ok());
  EXPECT_FALSE(SolveMultipleChoice(groups, {1.0}).ok());
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// One layer of the published ResNet-18 tables.
struct PublishedLayer {
  bool is_shortcut = false;
  double loss8 = 0.0;  // Hessian trace x squared quantization error
  double loss4 = 0.0;
  double megabytes = 0.0;  // at 8 bits
  double gigabops = 0.0;   // at 8 x 8 bits; 2^10 operations of a million each
  double milliseconds8 = 0.0;
  double milliseconds4 = 0.0;
};

std::vector<PublishedLayer> ReadPublishedLayers(const std::string& path) {
  std::vector<PublishedLayer> layers;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::stringstream cells(line.substr(line.find(',') + 1));
    double value[7] = {};
    for (double& number : value) {
      cells >> number;
      cells.ignore(1);
    }
    layers.push_back({.is_shortcut = line.find("downsample") != std::string::npos,
                      .loss8 = value[0] * value[1],
                      .loss4 = value[0] * value[2],
                      .megabytes = value[3] / (1024.0 * 1024.0),
                      .gigabops = value[4] * 64.0 / 1024.0,
                      .milliseconds8 = value[6],
                      .milliseconds4 = value[5]});
  }
  return layers;
}

// Groups of the published problem: a shortcut ("downsample") shares its width with the first
// convolution of its unit, which is two rows before it.
Groups PublishedGroups(const std::vector<PublishedLayer>& layers, char resource) {
  Groups groups;
  for (const PublishedLayer& layer : layers) {
    double cost4 = layer.megabytes / 2.0;
    double cost8 = layer.megabytes;
    if (resource == 'b') {
      cost4 = layer.gigabops / 4.0;
      cost8 = layer.gigabops;
    } else if (resource == 'l') {
      cost4 = layer.milliseconds4;
      cost8 = layer.milliseconds8;
    }
    if (layer.is_shortcut) {
      std::vector<ChoiceOption>& convolution = groups[groups.size() - 2];
      convolution[0].loss += layer.loss4;
      convolution[0].costs[0] += cost4;
      convolution[1].loss += layer.loss8;
      convolution[1].costs[0] += cost8;
    } else {
      groups.push_back(
          {{.loss = layer.loss4, .costs = {cost4}}, {.loss = layer.loss8, .costs = {cost8}}});
    }
  }
  return groups;
}

// HAWQ-V3 publishes the widths of ResNet-18 at 25, 50 and 75 % of the way from all 4 to all 8 bits
// in size, bit operations and T4 latency, here without the shortcuts.
TEST(SolveMultipleChoiceTest, FindsTheNinePublishedConfigurationsOfHawq) {
  const std::string path = BITPILOT_SOURCE_DIR "/../shared/data/hawq_resnet18/layers.csv";
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << "no published layer table at " << path;
  }
  const std::vector<PublishedLayer> layers = ReadPublishedLayers(path);
  ASSERT_EQ(layers.size(), 19U);
  struct Published {
    char resource;
    double share;
    const char* widths;
  };
  const Published all[] = {{'s', 0.25, "8888 8888 8888 4444"}, {'b', 0.25, "8884 8444 4444 4444"},
                           {'l', 0.25, "8884 8444 4444 4444"}, {'s', 0.50, "8888 8888 8888 8444"},
                           {'b', 0.50, "8884 8884 8844 4444"}, {'l', 0.50, "8888 8484 8844 8444"},
                           {'s', 0.75, "8888 8888 8884 8884"}, {'b', 0.75, "8888 8884 8884 8484"},
                           {'l', 0.75, "8888 8884 8884 8484"}};
  for (const Published& published : all) {
    SCOPED_TRACE(testing::Message() << published.resource << " " << published.share);
    const Groups groups = PublishedGroups(layers, published.resource);
    ASSERT_EQ(groups.size(), 16U);
    double limit = 0.0;
    for (const auto& group : groups) {
      limit += group[0].costs[0] + published.share * (group[1].costs[0] - group[0].costs[0]);
    }
    const Result<OptionIndices> chosen = SolveMultipleChoice(groups, {limit});
    ASSERT_TRUE(chosen.ok());
    std::string widths;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      widths += g > 0 && g % 4 == 0 ? " " : "";
      widths += (*chosen)[g] == 1 ? "8" : "4";
    }
    EXPECT_EQ(widths, published.widths);
  }
}

}  // namespace
}  // namespace bitpilot
