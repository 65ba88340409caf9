#include "policies/ilp.h"

#include <cstdio>
#include <set>

namespace bitpilot {
namespace {

std::string Reason(double ratio) {
  char text[48];
  std::snprintf(text, sizeof text, "integer program at %.3fx latency", ratio);
  return text;
}

}  // namespace

std::vector<Candidate> ToCandidates(const IntegerProgramAnswers& answers) {
  std::vector<Candidate> candidates;
  std::set<Choice> seen;
  for (const IntegerProgramAnswer& answer : answers.answers) {
    if (seen.insert(answer.choice).second) {
      candidates.push_back({.choice = answer.choice,
                            .origin = Origin::kIntegerProgram,
                            .reason = Reason(answer.max_latency_ratio)});
    }
  }
  return candidates;
}

Result<std::vector<Candidate>> IlpAnswers(const SearchProblem& problem, const CostModel& cost,
                                          int num_answers) {
  const Result<IntegerProgramAnswers> answers = SolveIntegerProgram(problem, cost, num_answers);
  if (!answers.ok()) {
    return answers.status();
  }
  return ToCandidates(*answers);
}

}  // namespace bitpilot
