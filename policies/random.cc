#include "policies/random.h"

namespace bitpilot {

std::vector<Proposal> RandomPolicy::Propose(const SearchState& state) {
  RandomStream random = StreamForThisDecision();
  Choice choice;
  for (const DecisionVariable& variable : problem().variables) {
    const int index = random.NextIndex(static_cast<int>(variable.widths.size()));
    choice.push_back(variable.widths[static_cast<std::size_t>(index)]);
  }
  choice = NearestUnseen(std::move(choice), random);
  if (choice.empty()) {
    return {};
  }
  return Unseen({{.choice = std::move(choice),
                  .origin = Origin::kRandom,
                  .reason = "uniformly random widths"}},
                state);
}

}  // namespace bitpilot
