// Policy "uniform": the same width everywhere. What people do without a search.
#pragma once

#include <string>
#include <vector>

#include "policies/history_policy.h"

namespace bitpilot {

// Proposes one width for all variables, from the widest to the narrowest, then one width for all
// weights and another one for all activations, the widest pairs first. Variables that lack a width
// take the nearest one. What breaks the size budget is left out.
class UniformPolicy final : public HistoryPolicy {
 public:
  using HistoryPolicy::HistoryPolicy;

  std::string name() const override { return "uniform"; }

 protected:
  std::vector<Candidate> Propose(TicketId ticket, int count) override;
};

}  // namespace bitpilot
