#include "experiments/planning/planning_toy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "policies/index.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"
#include "policies/reading_errors.h"

namespace bitpilot {
namespace {

constexpr int kVariables = 8;
constexpr double kBudget = 0.6;  // of the latency at 8 bits
constexpr double kNearTheBudget = 0.06;

struct Width {
  int bits;
  double latency;      // of 8 bits
  double sensitivity;  // of 4 bits
};
constexpr std::size_t kWidthsEach = 3;
using Widths = std::array<Width, kWidthsEach>;
constexpr Widths kNarrowWidths = {{{2, 0.35, 8.0}, {4, 0.6, 1.0}, {8, 1.0, 0.0}}};
constexpr Widths kWideWidths = {{{4, 0.6, 1.0}, {6, 0.8, 0.0625}, {8, 1.0, 0.0}}};

const Widths& WidthsOf(PlanningLaw law, int variable) {
  return law == PlanningLaw::kSixBits && variable % 2 == 1 ? kWideWidths : kNarrowWidths;
}

std::vector<DecisionVariable> DrawVariables(PlanningLaw law, RandomStream& random) {
  std::vector<DecisionVariable> variables;
  for (int i = 0; i < kVariables; ++i) {
    DecisionVariable variable;
    variable.index = i;
    variable.name = "variable" + std::to_string(i);
    const double at_four_bits = PlainExp(-4.0 + 0.9 * random.NextNormal());
    for (const Width& width : WidthsOf(law, i)) {
      variable.widths.push_back(width.bits);
      variable.sensitivity.push_back(width.sensitivity * at_four_bits);
    }
    variables.push_back(std::move(variable));
  }
  return variables;
}

// Every choice within the budget, but those far below it.
std::vector<Choice> FeasibleChoices(PlanningLaw law, RandomStream& random) {
  std::vector<double> share(kVariables);
  double sum = 0.0;
  for (double& value : share) sum += value = 0.3 + random.NextUniform();
  std::vector<Choice> feasible;
  Choice choice(kVariables);
  std::vector<std::size_t> position(kVariables, 0);
  while (true) {
    double latency = 0.0;
    for (std::size_t i = 0; i < position.size(); ++i) {
      const Width& width = WidthsOf(law, static_cast<int>(i))[position[i]];
      choice[i] = width.bits;
      latency += share[i] / sum * width.latency;
    }
    if (latency <= kBudget && latency > kBudget - kNearTheBudget) feasible.push_back(choice);
    std::size_t i = 0;
    while (i < position.size() && ++position[i] == kWidthsEach) position[i++] = 0;
    if (i == position.size()) return feasible;
  }
}

}  // namespace

PlanningToy::PlanningToy(std::uint64_t seed, PlanningLaw law)
    : seed_(seed),
      law_(law),
      variables_([seed, law] {
        RandomStream random(seed, "probe");
        return DrawVariables(law, random);
      }()),
      index_(variables_) {
  RandomStream random(seed, "world");
  law == PlanningLaw::kOther ? DrawOther(random) : DrawAssumed(random);
  feasible_ = FeasibleChoices(law, random);
}

void PlanningToy::DrawAssumed(RandomStream& random) {
  for (const DecisionVariable& variable : variables_) {
    for (const double sensitivity : variable.sensitivity) {
      stays_.push_back(0.3 * sensitivity * PlainExp(0.8 * random.NextNormal()));
      goes_.push_back(0.7 * sensitivity * PlainExp(0.5 * random.NextNormal()) + 0.025);
    }
    interactions_.push_back(0.0);
  }
  tau_ = 15.0 + 45.0 * random.NextUniform();
  RandomStream errors(seed_, "errors");
  error_scale_ = PlainExp((2.0 * errors.NextUniform() - 1.0) * PlainLog(2.0));
}

void PlanningToy::DrawOther(RandomStream& random) {
  for (const DecisionVariable& variable : variables_) {
    for (const double sensitivity : variable.sensitivity) {
      stays_.push_back(0.6 * sensitivity * PlainExp(0.8 * random.NextNormal()));
      goes_.push_back(0.4 * sensitivity * PlainExp(0.5 * random.NextNormal()));
    }
    interactions_.push_back(random.NextUniform() - 0.5);
  }
  const double fast = 4.0 + 4.0 * random.NextUniform();
  const double slow = 300.0 + 200.0 * random.NextUniform();
  tau_ = random.NextUniform() < 0.5 ? fast : slow;
}

double PlanningToy::Kernel(int a, int b) const {
  const auto [narrow, wide] = std::minmax(a, b);
  // 6 bits: what is missing to 8 falls to a quarter with each bit above 4.
  const auto square = [](int width) {
    return width == 6 ? 64.0 * (1.0 - 0.75 / 16.0) : static_cast<double>(width * width);
  };
  const double ratio = square(narrow) / square(wide);
  return law_ == PlanningLaw::kOther ? std::sqrt(ratio) : ratio;
}

PlanningToy::Weights PlanningToy::Start() const {
  std::vector<double> adapted;
  for (int i = 0; i < index_.num_variables(); ++i) {
    for (const int width : index_.widths(i)) adapted.push_back(Kernel(width, 8));
  }
  return Weights(std::move(adapted));
}

Choice PlanningToy::Best(const std::vector<double>& scores) const {
  const Choice* best = nullptr;
  double lowest = std::numeric_limits<double>::infinity();
  for (const Choice& choice : feasible_) {
    double sum = 0.0;
    for (int i = 0; i < index_.num_variables(); ++i) {
      sum += scores[AsIndex(index_.Of(i, choice[AsIndex(i)]))];
    }
    if (sum < lowest) {
      lowest = sum;
      best = &choice;
    }
  }
  return *best;
}

PlanningToy::Weights PlanningToy::Train(const Weights& weights, const Choice& choice,
                                        int batches) const {
  const double share = 1.0 - PlainExp(-batches / tau_);
  std::vector<double> after = weights.adapted_;
  for (int i = 0; i < index_.num_variables(); ++i) {
    for (const int width : index_.widths(i)) {
      double& adapted = after[AsIndex(index_.Of(i, width))];
      adapted += share * (Kernel(width, choice[AsIndex(i)]) - adapted);
    }
  }
  return Weights(std::move(after));
}

double PlanningToy::Loss(const Weights& weights, const Choice& choice) const {
  double loss = 0.0;
  double before = 0.0;
  for (int i = 0; i < index_.num_variables(); ++i) {
    const std::size_t width = AsIndex(index_.Of(i, choice[AsIndex(i)]));
    const double here = stays_[width] + goes_[width] * (1.0 - weights.adapted_[width]);
    loss += here + interactions_[AsIndex(i)] * std::sqrt(before * here);
    before = here;
  }
  return loss;
}

PlanningToy::Reading PlanningToy::Read(const Weights& weights, const Choice& choice) const {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (const double adapted : weights.adapted_) {
    add(std::bit_cast<std::uint64_t>(adapted) >> 32);
    add(std::bit_cast<std::uint64_t>(adapted) & 0xffffffff);
  }
  for (const int width : choice) add(static_cast<std::uint64_t>(width));
  const double loss = Loss(weights, choice);
  const double error = error_scale_ > 0.0 ? error_scale_ * ReadingErrors().Expected(loss)
                                          : ReadingErrors::kFirstError;
  return {loss + error * RandomStream(seed_, "reading", hash).NextNormal(), error};
}

double PlanningToy::OptimalLoss() const {
  double lowest = std::numeric_limits<double>::infinity();
  for (const Choice& choice : feasible_) {
    const int batches = kDecisions * kBatchesPerStep + kFinalBatches;
    lowest = std::min(lowest, Loss(Train(Start(), choice, batches), choice));
  }
  return lowest;
}

}  // namespace bitpilot
