// Policy "random": every variable's width uniformly at random, the baseline for any learner.
#pragma once

#include <string>
#include <vector>

#include "policies/history_policy.h"

namespace bitpilot {

// Proposes one choice at a time, none twice. Choices over the size budget are narrowed at random
// until they fit.
class RandomPolicy final : public HistoryPolicy {
 public:
  using HistoryPolicy::HistoryPolicy;

  std::string name() const override { return "random"; }

 protected:
  std::vector<Candidate> Propose(TicketId ticket, int count) override;
};

}  // namespace bitpilot
