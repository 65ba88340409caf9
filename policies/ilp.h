// Policy "ilp": an integer program over the sensitivities and the board's table, solved at several
// latency budgets (policies/integer_program.h): as many of them as may be measured. Learns nothing
// from measurements.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernels/base/status.h"
#include "policies/history_policy.h"
#include "policies/integer_program.h"

namespace bitpilot {

// The answers by ascending latency, each choice once.
std::vector<Candidate> ToCandidates(const IntegerProgramAnswers& answers);

// ToCandidates() of what SolveIntegerProgram() answers. Errors: its.
Result<std::vector<Candidate>> IlpAnswers(const SearchProblem& problem, const CostModel& cost,
                                          int num_answers);

// Proposes the answers, then nothing.
class IlpPolicy final : public HistoryPolicy {
 public:
  IlpPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
            std::vector<Candidate> answers)
      : HistoryPolicy(problem, std::move(cost), seed), answers_(std::move(answers)) {}

  std::string name() const override { return "ilp"; }

 protected:
  std::vector<Candidate> Propose(TicketId, int count) override { return Unseen(answers_, count); }

 private:
  std::vector<Candidate> answers_;
};

}  // namespace bitpilot
