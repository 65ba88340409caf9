#include "policies/random.h"

namespace bitpilot {

std::vector<Candidate> RandomPolicy::Propose(TicketId ticket, int count) {
  RandomStream random = StreamOf(ticket);
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
                count);
}

}  // namespace bitpilot
