#include "agent/profile/ask_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/fleet/stopped.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"

namespace bitpilot {
namespace {

std::vector<WidthPair> PairsInOrder(const SearchWidths& widths) {
  std::set<WidthPair> pairs = {{8, 8}};
  for (const int weights : widths.weights) {
    for (const int activations : widths.activations) pairs.insert({weights, activations});
  }
  return {pairs.rbegin(), pairs.rend()};
}

// Adds a network's rows.
void AddRows(const Topology& topology, const BitAssignment& assignment,
             const NetworkMeasurement& network, CostTable& table) {
  std::size_t layer = 0;
  double sum_ns = 0.0;
  for (std::size_t i = 0; i < topology.operations.size(); ++i) {
    const Operation& op = topology.operations[i];
    PairKey key(op.name, 0, 0);
    if (HasWeights(op)) {
      key = {op.name, assignment.weight_bits[layer++].front().bits,
             assignment.activation_bits[static_cast<std::size_t>(op.input)]};
    }
    table.operations[key] = Cost{network.operation_ns[i], std::nullopt};
    sum_ns += network.operation_ns[i];
  }
  // A billionth is rounding.
  const double rest_ns = network.latency_median_ns - sum_ns;
  table.overhead_latency_ns = rest_ns > 1e-9 * network.latency_median_ns ? rest_ns : 0.0;
}

}  // namespace

Result<ModelAnswers> AskModel(
    const Topology& topology, const SearchWidths& widths, Board& board,
    const std::function<bool()>& stop,
    const std::function<void(int done, int total, const std::string& note)>& progress) {
  const std::vector<WidthPair> pairs = PairsInOrder(widths);
  ModelAnswers answers;
  answers.table.name = topology.name;
  for (const auto& [weights, activations] : pairs) {
    if (stop()) return Stopped();
    const BitAssignment assignment = UniformAssignment(topology, weights, activations, widths.ends);
    const Network network = RandomNetwork(topology, assignment, kWeightSeed);
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    job.per_operation = true;
    const Result<Measurement> measurement = board.Measure(job);
    if (!measurement.ok()) return measurement.status();
    const std::string name = "w" + std::to_string(weights) + "a" + std::to_string(activations);
    const bool answered =
        HasNumbers(measurement->status) &&
        measurement->networks.front().operation_ns.size() == topology.operations.size();
    if (answered) {
      answers.table.source = measurement->source + ": rows that the board told";
      AddRows(topology, assignment, measurement->networks.front(), answers.table);
    } else {
      const std::string why =
          std::string(ToString(measurement->status)) + " " + measurement->detail;
      if (answers.asked == 0) {
        return Status(StatusCode::kUnavailable, "the board has no time of uniform 8 bit: " + why);
      }
      if (answers.unanswered.empty()) answers.first_failure = name + ": " + why;
      answers.unanswered.insert({weights, activations});
    }
    progress(++answers.asked, static_cast<int>(pairs.size()), name);
  }
  return answers;
}

}  // namespace bitpilot
