// Policy "ilp": an integer program over the sensitivities and the board's table, solved at several
// latency budgets. Learns nothing from measurements. "amed" starts with the same answers.
//
// Source: Yao et al., "HAWQ-V3: Dyadic Neural Network Quantization", ICML 2021, arXiv:2011.10680,
// section 3.4; the sensitivity is a probed loss here, in place of the Hessian's trace.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/status.h"
#include "policies/history_policy.h"

namespace bitpilot {

inline constexpr int kNumIlpAnswers = 8;

// How the reason of each of its proposals begins, whichever policy proposes it.
inline constexpr std::string_view kIlpReasonPrefix = "integer program";

// Lowest predicted loss at up to `num_answers` predicted latency ratios, by ascending latency,
// without repeats.
//
// The ratios are spaced evenly above the fastest possible one, up to 1. With max_latency_ratio
// below 1, half of them are spaced evenly up to it and the rest from it to 1, because predictions
// err in both directions. Where max_latency_ratio is below the fastest prediction, the fastest
// choice stands for it: measurements decide.
//
// Errors: kInvalidArgument if no choice keeps the size and energy budgets.
//
// REQUIRES: num_answers >= 1.
Result<std::vector<Proposal>> IlpAnswers(const SearchProblem& problem, const CostModel& cost,
                                         int num_answers = kNumIlpAnswers);

// How many answers a study of `max_measurements` starts with: 8, or fewer if it is shorter.
int NumIlpAnswers(const SearchProblem& problem);

// Proposes IlpAnswers(), then nothing.
class IlpPolicy final : public HistoryPolicy {
 public:
  IlpPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
            std::vector<Proposal> answers)
      : HistoryPolicy(problem, std::move(cost), seed), answers_(std::move(answers)) {}

  std::string name() const override { return "ilp"; }
  std::vector<Proposal> Propose(const SearchState& state) override {
    return Unseen(answers_, state);
  }

 private:
  std::vector<Proposal> answers_;
};

}  // namespace bitpilot
