// What a decision of policy "amed" costs: CPU time of its thread, by the number of variables and of
// readings that are known. Losses and latencies are formulas; no network runs.
//
//   decision_time [VARIABLES...]        20 40 60 by default
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "experiments/mean_interval.h"
#include "kernels/base/check.h"
#include "kernels/base/standard_networks.h"
#include "policies/adaptation.h"
#include "policies/index.h"
#include "policies/plain_math.h"
#include "policies/policy.h"
#include "policies/random_stream.h"
#include "policies/trained_places.h"
#include "policies/view.h"
#include "policies/width_index.h"

namespace bitpilot {
namespace {

constexpr int kWidths[] = {2, 3, 4, 5, 6, 7, 8};
constexpr int kBatchesPerStep = 10;
constexpr int kTimed = 6;  // decisions
constexpr double kTau = 30.0;
constexpr double kReadingError = 0.012;  // nats

double ThreadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// All positions of the network that may be narrow: the ends hold 8 bits.
std::vector<DecisionVariable> VariablesOf(const Topology& topology, RandomStream& random) {
  const BitAssignment narrow = UniformAssignment(topology, 2, 2);
  const std::vector<int> layers = LayerOperations(topology);
  std::vector<DecisionVariable> variables;
  const auto add = [&](PositionKind kind, int index, const std::string& name) {
    DecisionVariable variable{kind, index, name, {std::begin(kWidths), std::end(kWidths)}, {}};
    const double at_4_bits = PlainExp(-5.0 + 0.9 * random.NextNormal());
    for (const int width : kWidths) {
      variable.sensitivity.push_back(width == 8 ? 0.0 : at_4_bits * PlainExp(1.04 * (4 - width)));
    }
    variables.push_back(std::move(variable));
  };
  for (std::size_t l = 0; l < narrow.weight_bits.size(); ++l) {
    if (narrow.weight_bits[l].front().bits != 2) continue;
    add(PositionKind::kWeights, static_cast<int>(l), topology.operations[AsIndex(layers[l])].name);
  }
  for (int t = 0; t < topology.num_stored_tensors(); ++t) {
    if (narrow.activation_bits[AsIndex(t)] != 2) continue;
    add(PositionKind::kActivations, t, TensorName(topology, t));
  }
  return variables;
}

CostTable TableOf(const Topology& topology) {
  CostTable table;
  table.name = "formula";
  table.source = "formula";
  for (const int layer : LayerOperations(topology)) {
    for (int w = 1; w <= 8; ++w) {
      for (int a = 1; a <= 8; ++a) {
        const auto macs = static_cast<double>(Macs(topology, layer));
        table.operations[{topology.operations[AsIndex(layer)].name, w, a}].latency_ns =
            macs * 0.02 * (0.2 + 0.05 * w + 0.05 * a) + 500.0;
      }
    }
  }
  return table;
}

double LatencyOf(const SearchProblem& problem, const Choice& choice) {
  return PredictCost(problem.table, problem.topology, ToAssignment(problem, choice))
      .value()
      .latency_ns;
}

// The first `variables` ones of the smallest network that has as many.
SearchProblem ProblemOf(int variables, int readings) {
  SearchProblem problem;
  for (const char* const name : {"resnet8", "resnet20", "resnet32", "resnet44", "resnet56"}) {
    problem.topology = StandardTopology(name).value();
    RandomStream random(1, "variables");
    problem.variables = VariablesOf(problem.topology, random);
    if (std::ssize(problem.variables) >= variables) break;
  }
  BITPILOT_CHECK(std::ssize(problem.variables) >= variables);
  problem.variables.resize(AsIndex(variables));
  problem.base = UniformAssignment(problem.topology, 8, 8);
  problem.table = TableOf(problem.topology);
  problem.budgets.max_latency_ratio = 0.75;
  problem.uniform8 = {
      .latency_ns = LatencyOf(problem, UniformChoice(problem, 8)), .loss = 0.5, .accuracy = 0.85};
  problem.anchor.readings = {{0, 0.50, 1e-3, 0.15}};
  problem.max_measurements = readings;
  problem.batches_per_step = kBatchesPerStep;
  problem.final_batches = 20;
  return problem;
}

// A search of `readings` trials, the last kTimed of them the policy's own decisions.
class Search {
 public:
  explicit Search(const SearchProblem& problem)
      : problem_(problem),
        policy_(MakePolicy("amed", problem, /*seed=*/1).value()),
        view_(problem),
        index_(problem.variables),
        random_(1, "search"),
        weights_({{0, Adaptation(index_)}}) {
    Observe(Conditions{.slots = {{"board", 1}},
                       .totals = {.measurements = problem.max_measurements,
                                  .mini_batches = problem.max_measurements * kBatchesPerStep}});
  }

  // Seconds of each decision of the policy; `readings` of random widths come before.
  std::vector<double> Time(int readings) {
    for (int i = 0; i < readings; ++i) {
      Choice choice;
      for (const DecisionVariable& variable : problem_.variables) {
        choice.push_back(
            variable.widths[AsIndex(random_.NextIndex(static_cast<int>(variable.widths.size())))]);
      }
      Play({.id = view_.next_ticket(),
            .what = {.choice = choice},
            .from = view_.latest(),
            .train = {.batches = i % 3 == 0 ? kBatchesPerStep : 0},
            .classes = {"board"}});
    }
    std::vector<double> seconds;
    bool has_caught_up = readings == 0;  // the first decision takes in all that came before
    while (std::ssize(seconds) < kTimed && !view_.stopped_at()) {
      const double begin = ThreadSeconds();
      const std::vector<Action> actions = policy_->Act(view_);
      if (has_caught_up) seconds.push_back(ThreadSeconds() - begin);
      has_caught_up = true;
      view_.Keep(policy_->Keeps());
      for (const Action& action : actions) {
        if (const auto* trial = std::get_if<Trial>(&action)) {
          Play(*trial);
        } else {
          view_.Submitted(action);
        }
      }
    }
    return seconds;
  }

 private:
  void Observe(const Observation& observation) {
    view_.Observed(observation);
    policy_->Observe(view_, observation);
  }

  void Play(const Trial& trial) {
    BITPILOT_CHECK(view_.Check(trial).ok());
    view_.Submitted(trial);
    const int depth = view_.DepthOf(trial.from) + trial.train.batches;
    const Adaptation adapted =
        weights_.at(trial.from.after)
            .After(trial.what.choice, TrainedPlaces::Counted(trial.train), kTau);
    weights_.emplace(trial.id, adapted);
    const std::vector<double> missing = adapted.Missing(trial.what.choice);
    double excess = kReadingError * random_.NextNormal();
    for (std::size_t i = 0; i < missing.size(); ++i) {
      const DecisionVariable& variable = problem_.variables[i];
      const auto width =
          std::find(variable.widths.begin(), variable.widths.end(), trial.what.choice[i]);
      const double probed = variable.sensitivity[AsIndex(width - variable.widths.begin())];
      excess += 0.3 * probed + 0.7 * probed * missing[i];
    }
    const double ratio = LatencyOf(problem_, trial.what.choice) / problem_.uniform8.latency_ns;
    TrialOutcome outcome;
    outcome.id = trial.id;
    outcome.at = {.depth = depth, .spent = depth};
    outcome.score = Scored{.loss = 0.5 + excess,
                           .loss_error = kReadingError,
                           .correct = 850,
                           .total = 1000,
                           .excess_error = kReadingError};
    for (std::size_t i = 0; i < trial.classes.size(); ++i) {
      outcome.classes.push_back(
          {.on = "board",
           .result =
               Measured{.ratio = ratio, .ratio_low = 0.995 * ratio, .ratio_high = 1.005 * ratio}});
    }
    Observe(outcome);
  }

  const SearchProblem& problem_;
  std::unique_ptr<Policy> policy_;
  View view_;
  WidthIndex index_;
  RandomStream random_;
  std::map<TicketId, Adaptation> weights_;
};

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  std::vector<int> counts = {20, 40, 60};
  if (argc > 1) counts.clear();
  for (int i = 1; i < argc; ++i) counts.push_back(std::atoi(argv[i]));
  if (std::any_of(counts.begin(), counts.end(), [](int n) { return n < 1 || n > 100; })) {
    std::fprintf(stderr, "usage: decision_time [VARIABLES...], each 1 to 100\n");
    return 2;
  }
  std::printf(
      "CPU seconds of a decision, seven widths a variable\n\n"
      "| variables | readings before | decisions | mean | most |\n|---|---|---|---|---|\n");
  for (const int variables : counts) {
    for (const int readings : {0, 24, 120}) {
      const bitpilot::SearchProblem problem = bitpilot::ProblemOf(variables, readings + 24);
      const std::vector<double> seconds = bitpilot::Search(problem).Time(readings);
      if (seconds.empty()) continue;  // it stops at once
      std::printf("| %d | %d | %zu | %.2f | %.2f |\n", variables, readings, seconds.size(),
                  bitpilot::MeanOf(seconds), *std::max_element(seconds.begin(), seconds.end()));
      std::fflush(stdout);
    }
  }
}
