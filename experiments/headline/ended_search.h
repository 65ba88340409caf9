// What a search that has ended left in its log, and which of its networks stands for it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/final_event.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct EndedSearch {
  SearchConfig config;
  std::set<std::string> builds;  // of the bitpilot that wrote the log, AgentBuild()
  std::optional<BoardEvent> board;
  std::optional<ProblemEvent> problem;
  std::optional<IntegerProgramAnswers> program;
  std::vector<ProposalEvent> proposals;
  std::vector<TrainedEvent> trained;
  std::optional<FinalEvent> final;
  std::int64_t search_batches = 0;  // mini-batches that the search trained, in all places
  std::int64_t twin_batches = 0;    // that uniform 8 bit trained alone
};

// Errors: kNotFound, whose message `resume` ends, if the log has no final table; ParseEvent()'s.
Result<EndedSearch> EndedSearchOf(SearchConfig config, const std::vector<Event>& events,
                                  const std::string& resume);

// Chosen by validation: of the front's rows within the search's latency budget (without one
// kMostLatencyRatio) the most accurate, of equals the faster. Where the last measurement left none
// within it, the fastest. Null if there is no row with figures.
const FinalRow* FoundRow(const EndedSearch& search);

// Whether the widths of a row of the final table are one of the integer program's answers, whoever
// proposed them.
bool IsProgramAnswer(const EndedSearch& search, const FinalRow& row);

// Mini-batches that a reference gets: a network of the table starts from a place of the search or from the
// end of uniform 8 bit trained alone, so the larger of the two, and the final training of one network.
std::int64_t ReferenceBatches(const EndedSearch& search);

// Errors: kInternal if the row's weights had had more mini-batches than the references get, or if it does
// not say how many.
Status CheckBatches(const EndedSearch& search, const FinalRow& row);

}  // namespace bitpilot
