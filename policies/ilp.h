// Policy "ilp": an integer program over the sensitivities and the board's table, solved at several
// latency budgets (policies/integer_program.h). Learns nothing from measurements. "amed" starts with
// the same answers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/base/status.h"
#include "policies/history_policy.h"
#include "policies/integer_program.h"

namespace bitpilot {

// The answers as proposals, by ascending latency, each choice once.
std::vector<Proposal> ToProposals(const IntegerProgramAnswers& answers);

// ToProposals() of what SolveIntegerProgram() answers. Errors: its.
Result<std::vector<Proposal>> IlpAnswers(const SearchProblem& problem, const CostModel& cost,
                                         int num_answers = kNumIlpAnswers);

// Proposes the answers, then nothing.
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
