#include "agent/session/reference_networks.h"

#include <algorithm>
#include <cstdint>

#include "agent/session/decision_variables.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kSeed = 1;
// Draws of widths at most: a small search has few networks.
constexpr int kMaxDraws = 64;

}  // namespace

std::vector<BitAssignment> ReferenceAssignments(const Topology& topology,
                                                const SearchConfig& config) {
  SearchProblem problem;
  problem.topology = topology;
  problem.base = UniformAssignment(topology, 8, 8);
  problem.variables = MakeDecisionVariables(topology, config);
  std::vector<BitAssignment> assignments = {problem.base};
  const auto add = [&](const Choice& choice) {
    BitAssignment assignment = ToAssignment(problem, choice);
    const bool is_new =
        std::find(assignments.begin(), assignments.end(), assignment) == assignments.end();
    if (is_new) assignments.push_back(std::move(assignment));
  };
  const auto lowest = [&](bool weights, bool activations) {
    Choice choice;
    for (const DecisionVariable& variable : problem.variables) {
      const bool is_lowest = variable.kind == PositionKind::kWeights ? weights : activations;
      choice.push_back(is_lowest ? variable.widths.front() : variable.widths.back());
    }
    add(choice);
  };
  lowest(true, true);
  lowest(true, false);
  lowest(false, true);
  RandomStream random(kSeed, "reference networks");
  for (int draw = 0; draw < kMaxDraws && assignments.size() < kMaxReferenceNetworks; ++draw) {
    Choice choice;
    for (const DecisionVariable& variable : problem.variables) {
      const auto width = random.NextIndex(static_cast<int>(variable.widths.size()));
      choice.push_back(variable.widths[static_cast<std::size_t>(width)]);
    }
    add(choice);
  }
  return assignments;
}

std::vector<Network> ReferenceNetworks(const Topology& topology,
                                       const std::vector<BitAssignment>& assignments) {
  std::vector<Network> networks;
  for (const BitAssignment& assignment : assignments) {
    networks.push_back(RandomNetwork(topology, assignment, kSeed));
  }
  return networks;
}

}  // namespace bitpilot
