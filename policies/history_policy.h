// HistoryPolicy: a policy whose whole state is its seed and the transitions that it has seen.
//
// Proposals are a function of both, and each decision draws from a stream of its own, numbered by
// the transitions seen so far. So a policy can be asked twice, saved between any two calls and
// rebuilt from a log, and always proposes the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/status.h"
#include "policies/cost_model.h"
#include "policies/policy.h"
#include "policies/random_stream.h"

namespace bitpilot {

// Base of the policies here. Not thread-safe.
class HistoryPolicy : public Policy {
 public:
  // `problem` must outlive the policy.
  HistoryPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed)
      : problem_(problem), cost_(std::move(cost)), seed_(seed) {}

  // Training that diverged (kDiverged, or a loss or accuracy that is not finite) counts as the worst
  // possible loss and accuracy.
  //
  // REQUIRES: a legal choice; a latency that is finite and positive exactly if measured.
  void Observe(const Transition& transition) final;

  // JSON; numbers are written with as many digits as it takes to read the same bits back.
  std::string Save() const final;
  Status Load(std::string_view state) final;

 protected:
  const SearchProblem& problem() const { return problem_; }
  const CostModel& cost() const { return cost_; }
  const std::vector<Transition>& history() const { return history_; }

  std::uint64_t seed() const { return seed_; }

  // The numbers of the decision to make now.
  RandomStream StreamForThisDecision() const {
    return RandomStream(seed_, name(), static_cast<std::uint64_t>(history_.size()));
  }

  bool Seen(const Choice& choice) const { return seen_.contains(choice); }

  // Weight bytes are exact before any measurement: what breaks that budget is never proposed.
  bool KeepsSize(const Choice& choice) const;

  // The proposals not seen yet, without repeats, at most state.measurements_left.
  std::vector<Proposal> Unseen(const std::vector<Proposal>& proposals,
                               const SearchState& state) const;

  // A legal choice within the size budget that was not seen, as near as simple repairs keep it to
  // `choice`. Empty if there is none among the 65,536 choices that follow it in counting order.
  Choice NearestUnseen(Choice choice, RandomStream& random) const;

 private:
  const SearchProblem& problem_;
  CostModel cost_;
  std::uint64_t seed_;
  std::vector<Transition> history_;
  std::set<Choice> seen_;
};

}  // namespace bitpilot
