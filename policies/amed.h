// Policy "amed": planning in a learned model of how training moves the loss, in AMED's setting.
//
// The setting is AMED's: widths are chosen while the network trains, by what was measured on the board.
// The method is not. AMED keeps a table of scores and decides by a Metropolis rule; here
//
//   belief      what is known of the loss at any widths after any training (policies/loss_belief.h),
//               of excess losses over 8 bit trained alone for as long (policies/reward.h), from probed
//               sensitivities on; of latency and energy, the board's table corrected by what was
//               measured, disturbed and wide measurements counting less (policies/surrogate.h)
//   targets     networks that the search may end with: the integer program's answers, what was tried,
//               exactly best choices of worlds drawn from the belief (policies/target_pool.h); of these
//               what it would end with now, and what may well turn out better
//   utility     within a budget of latency or energy the lowest loss, else the hypervolume of all
//               (policies/target_utility.h)
//   action      read, and measure on every class with a board what was not measured yet: from the
//               latest place, the start or the place where the search would end now; at one of the
//               targets, to train also at the narrowest widths of all, to read also what
//               trained with one variable at its widest; after 0, 1, 2, 4 or 8 times the usual mini-batches of training there. What was
//               read on the same weights is not read again: it would be the same
//   value       what is expected in the end if the readings that are left are spent around that step
//               and nothing trains after it but the answer; without training, that is search before
//               training, which is left only where a plan that trains is worth more
//               (policies/lookahead.h); in flight counts as read at its mean
//   end         when no action is worth more than stopping, for two pools of targets, or readings, one
//               for each measurement, are used up: what the search would end with is measured (so many
//               measurements, and board seconds, no other action may take), the mini-batches that are
//               left train a part at a time where they do most good (a final training begins there or at
//               uniform 8 bit's weights, whichever are better), what it would end with is read on the
//               weights of its best place, and the search stops there. It names its finalists by what it
//               expects of them after the final training: most were measured before anything had
//               trained, and what they were read then says little of what training makes of them
//
// Mini-batches have the default rates (policies/pace.h). With AmedOptions::train_while_searching false
// this is policy "two-stage": it reads untrained weights only. Where nothing trains
// (SearchProblem::batches_per_step 0) there is no state to plan with, and "amed-blind" searches
// (policies/amed_blind.h).
//
// Source of the setting: Kimhi, Rozen, Mendelson, Baskin, "AMED: Automatic Mixed-Precision
// Quantization for Edge Devices", Mathematics 12(12), 1810, 2024, arXiv:2205.15437.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "policies/amed_decision.h"
#include "policies/amed_options.h"
#include "policies/cost_model.h"
#include "policies/loss_learner.h"
#include "policies/policy.h"
#include "policies/transition.h"
#include "policies/width_ladder.h"

namespace bitpilot {

// Not thread-safe.
class AmedPolicy final : public Policy {
 public:
  // `problem` must outlive the policy. answers: IlpAnswers() of the problem.
  AmedPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
             std::vector<Candidate> answers, AmedOptions options = {});

  std::string name() const override;
  const AmedOptions& options() const { return options_; }

  std::vector<Action> Act(const View& view) override;
  // All that is learned is a function of View: Act() takes it in.
  void Observe(const View& view, const Observation& observation) override;
  // Where the search would have ended by the last decision.
  std::vector<TicketId> Keeps() const override;

  // JSON: whose state it is, the seed, what Keeps() returns and how many readings were of how to end.
  std::string Save() const override;
  Status Load(std::string_view state) override;

 private:
  // Takes in what was answered since the last time.
  void Learn(const View& view);
  void LearnOutcome(const Trial& trial, const TrialOutcome& outcome);
  // Where conditions changed at what is learned next.
  void LearnConditions();
  // Trials of the search's that may still be decided on.
  int ReadingsLeft(const View& view) const;
  // What may be decided while `decided` trials are not in `view` yet.
  static bool HasRoom(const View& view, int decided);
  PlannedDecision DecideAt(const View& view, int attempt) const;
  Trial TrialOf(const View& view, const PlannedStep& step) const;
  // How to end now, nothing being in flight.
  std::vector<Action> End(const View& view, const PlannedDecision& decision);

  const SearchProblem& problem_;
  CostModel cost_;
  std::uint64_t seed_;
  std::vector<Candidate> answers_;
  AmedOptions options_;
  WidthLadder ladder_;
  std::unique_ptr<Policy> blind_;  // where nothing trains

  LossLearner learner_;
  std::size_t num_learned_ = 0;  // of View::answered()
  int num_readings_ = 0;         // of those, all that a board was not missing for
  int num_last_readings_ = 0;  // of these, what End() asked for: no budget of readings pays for it
  int last_episode_ = 0;
  std::vector<Transition> history_;  // the latest
  std::vector<Choice> tried_;        // the latest, each once
  std::set<Choice> excluded_;        // that boards cannot run
  std::map<Choice, int> without_board_;
  int unavailable_in_a_row_ = 0;
  std::set<Choice> lacking_;  // predicted for a class since boards measured last
  // Of View::answered(): those before conditions changed last, after which both begin anew.
  std::size_t num_before_conditions_ = 0;
  Place incumbent_;
};

}  // namespace bitpilot
