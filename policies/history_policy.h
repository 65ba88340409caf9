// HistoryPolicy: a policy that learns from the list of trials answered so far, and from nothing else.
//
// It is blind to the state of the weights: every trial trains on from the last ticket, by the default
// pace (policies/pace.h), and no choice is tried twice. What it proposes is a function of its seed, of
// what was answered and of what is in flight; each decision draws from a stream of its own, numbered
// by its ticket. So Act() leaves nothing behind, and a policy that is rebuilt from a log goes on
// exactly like the one that wrote it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/status.h"
#include "policies/cost_model.h"
#include "policies/policy.h"
#include "policies/random_stream.h"
#include "policies/transition.h"

namespace bitpilot {

// A choice for which no board was found this often is not tried again.
inline constexpr int kMaxTriesWithoutBoard = 3;
// Trials in a row without a board after which a policy gives up, unless conditions changed meanwhile. What
// some class measured, or is predicted, does not count for either: how much is predicted is the
// environment's to limit.
inline constexpr int kMaxUnavailableInARow = 24;

// Base of the policies here. Not thread-safe.
class HistoryPolicy : public Policy {
 public:
  // `problem` must outlive the policy.
  HistoryPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed)
      : problem_(problem), cost_(std::move(cost)), seed_(seed) {}

  // Fills the slots that every class with a board has free, as far as budgets pay for what is then in
  // flight (policies/networks_left.h). Stops, at the last place, when nothing is
  // in flight and either nothing is left to propose or what is left does not pay for one more trial
  // on all classes. Proposes nothing while no class has a board.
  std::vector<Action> Act(const View& view) final;

  // Training that diverged counts as the worst possible loss and accuracy.
  void Observe(const View& view, const Observation& observation) final;

  // JSON: whose state it is, and the seed.
  std::string Save() const final;
  Status Load(std::string_view state) final;

 protected:
  // Candidates to try now, in order: none that Seen() knows, no repeats, at most `count`. Empty:
  // nothing is left to try. The base may ask again for the same `ticket` and use only the first ones.
  //
  // ticket: of the first candidate. REQUIRES: count >= 1.
  virtual std::vector<Candidate> Propose(TicketId ticket, int count) = 0;

  const SearchProblem& problem() const { return problem_; }
  const CostModel& cost() const { return cost_; }
  const std::vector<Transition>& history() const { return history_; }
  std::uint64_t seed() const { return seed_; }

  // The numbers of one decision.
  RandomStream StreamOf(TicketId ticket) const {
    return RandomStream(seed_, name(), static_cast<std::uint64_t>(ticket - 1));
  }

  // Answered, unless no board could be asked, or in flight. Also what lacks a class, until boards measure
  // again; before nothing else is left, that is proposed again.
  bool Seen(const Choice& choice) const {
    return seen_.contains(choice) || tried_.contains(choice) ||
           (!repeats_lacking_ && lacking_.contains(choice));
  }

  // Weight bytes are exact before any measurement: what breaks that budget is never proposed.
  bool KeepsSize(const Choice& choice) const;

  // The candidates not seen yet, without repeats, at most `count`.
  std::vector<Candidate> Unseen(const std::vector<Candidate>& candidates, int count) const;

  // A legal choice within the size budget that was not seen, as near as simple repairs keep it to
  // `choice`. Empty if there is none among the 65,536 choices that follow it in counting order.
  Choice NearestUnseen(Choice choice, RandomStream& random) const;

 private:
  // Trials on `classes` that may be submitted now.
  static int Room(const View& view, const std::vector<ClassId>& classes);

  const SearchProblem& problem_;
  CostModel cost_;
  std::uint64_t seed_;
  std::vector<Transition> history_;
  std::set<Choice> seen_;
  std::map<Choice, int> without_board_;  // tries
  int unavailable_in_a_row_ = 0;
  std::set<Choice> lacking_;  // predicted for a class since boards measured last
  // In flight, and decided in this Act(): set anew by each.
  std::set<Choice> tried_;
  bool repeats_lacking_ = false;  // as above
};

}  // namespace bitpilot
