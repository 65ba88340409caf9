// The policy's actions as events of the log, and back.
#pragma once

#include <optional>
#include <string_view>

#include "agent/study/events.h"
#include "agent/study/journal.h"
#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

// step: how many trials came before it.
ProposalEvent ToEvent(const SearchProblem& problem, const Trial& trial, int step);

// Logs an action, or compares it with the logged one.
//
// Errors: the journal's.
Status DecideAction(Journal& journal, const SearchProblem& problem, const Action& action, int step);

// Whether the log goes on with an action.
bool IsActionKind(std::string_view kind);

// The next logged event as an action: for who trusts the log.
//
// Errors: the journal's. REQUIRES: IsActionKind(journal.next_kind()).
Result<Action> TakeAction(Journal& journal);

}  // namespace bitpilot
