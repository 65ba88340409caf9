#include "experiments/headline/ended_search.h"

#include <algorithm>
#include <utility>

#include "experiments/headline/seed_result.h"

namespace bitpilot {
namespace {

template <typename T, typename Take>
Status TakeIf(const Event& event, Take take) {
  if (event.kind != T::kKind) return Status();
  Result<T> parsed = ParseEvent<T>(event.payload);
  if (!parsed.ok()) return parsed.status();
  take(std::move(*parsed));
  return Status();
}

Status TakeEvent(const Event& event, EndedSearch& search) {
  BITPILOT_RETURN_IF_ERROR(TakeIf<AgentEvent>(
      event, [&](AgentEvent agent) { search.builds.insert(std::move(agent.build)); }));
  BITPILOT_RETURN_IF_ERROR(
      TakeIf<BoardEvent>(event, [&](BoardEvent board) { search.board = std::move(board); }));
  BITPILOT_RETURN_IF_ERROR(TakeIf<ProblemEvent>(
      event, [&](ProblemEvent problem) { search.problem = std::move(problem); }));
  BITPILOT_RETURN_IF_ERROR(TakeIf<AnswersEvent>(
      event, [&](AnswersEvent answers) { search.program = std::move(answers.program); }));
  BITPILOT_RETURN_IF_ERROR(TakeIf<AnchorEvent>(event, [&](const AnchorEvent& twin) {
    if (twin.anchor.readings.empty()) return;
    search.twin_batches = twin.anchor.readings.back().batches;
  }));
  BITPILOT_RETURN_IF_ERROR(TakeIf<ProposalEvent>(event, [&](ProposalEvent proposal) {
    search.search_batches += proposal.pace.batches;
    search.proposals.push_back(std::move(proposal));
  }));
  BITPILOT_RETURN_IF_ERROR(TakeIf<AdvanceEvent>(
      event, [&](const AdvanceEvent& advance) { search.search_batches += advance.pace.batches; }));
  BITPILOT_RETURN_IF_ERROR(TakeIf<TrainedEvent>(
      event, [&](TrainedEvent trained) { search.trained.push_back(std::move(trained)); }));
  return TakeIf<FinalEvent>(event, [&](FinalEvent final) { search.final = std::move(final); });
}

}  // namespace

Result<EndedSearch> EndedSearchOf(SearchConfig config, const std::vector<Event>& events,
                                  const std::string& resume) {
  EndedSearch search;
  search.config = std::move(config);
  for (const Event& event : events) BITPILOT_RETURN_IF_ERROR(TakeEvent(event, search));
  if (search.final && search.problem && search.board) return search;
  return Status(StatusCode::kNotFound, "the search has not ended; go on with " + resume);
}

const FinalRow* FoundRow(const EndedSearch& search) {
  const double budget = search.config.budgets.max_latency_ratio.value_or(kMostLatencyRatio);
  const FinalRow* best = nullptr;
  const auto is_better = [&](const FinalRow& a, const FinalRow& b) {
    const bool a_keeps = *a.ratio <= budget;
    if (a_keeps != (*b.ratio <= budget)) return a_keeps;
    if (!a_keeps || *a.validation_accuracy == *b.validation_accuracy) return *a.ratio < *b.ratio;
    return *a.validation_accuracy > *b.validation_accuracy;
  };
  for (const FinalRow& row : search.final->rows) {
    if (!IsFound(row.role) || !row.ratio || !row.validation_accuracy) continue;
    if (best == nullptr || is_better(row, *best)) best = &row;
  }
  return best;
}

bool IsProgramAnswer(const EndedSearch& search, const FinalRow& row) {
  if (!search.program) return false;
  return std::any_of(
      search.proposals.begin(), search.proposals.end(), [&](const ProposalEvent& proposal) {
        if (proposal.assignment_id != row.assignment_id) return false;
        const std::vector<IntegerProgramAnswer>& answers = search.program->answers;
        return proposal.choice == search.program->fastest ||
               std::any_of(answers.begin(), answers.end(), [&](const IntegerProgramAnswer& answer) {
                 return answer.choice == proposal.choice;
               });
      });
}

std::int64_t ReferenceBatches(const EndedSearch& search) {
  return std::max(search.search_batches, search.twin_batches) +
         search.config.final_batches.value_or(0);
}

Status CheckBatches(const EndedSearch& search, const FinalRow& row) {
  const std::int64_t most = ReferenceBatches(search);
  if (row.mini_batches && *row.mini_batches <= most) return Status();
  return Status(
      StatusCode::kInternal,
      row.label + " had " +
          (row.mini_batches ? std::to_string(*row.mini_batches) : "an unknown number of") +
          " mini-batches, the references get " + std::to_string(most) +
          ": expected no fewer; they would not be compared alike");
}

}  // namespace bitpilot
