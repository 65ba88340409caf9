// Oracle's part that asks of every failure in a study what caused it.
#include <algorithm>
#include <set>
#include <string>

#include "agent/fleet/fleet_events.h"
#include "experiments/reliability/oracle.h"

namespace bitpilot::simulation {
namespace {

// How often a measurement must have failed so, by the world's will, before the failure is the
// candidate's (measure_retries.h); 0: never, it is the board's.
int FailuresOfACandidate(const std::string& status) {
  if (status == "WRONG_OUTPUT") return 1;  // more if another board can measure now
  if (status == "CRASH" || status == "OUT_OF_MEMORY") return 2;
  if (status == "TIMED_OUT") return 3;
  return 0;
}

bool IsWorkersFault(const std::string& status) {
  return FailuresOfACandidate(status) > 0 || status == "THERMAL_ABORT" || status == "POWER_ABORT";
}

}  // namespace

std::set<std::string> AttemptsOf(const Oracle::Record& record) {
  std::set<std::string> ids;
  for (int attempt = 0; attempt <= record.attempt; ++attempt) {
    ids.insert(fleet::AttemptId(record.job_id, attempt));
  }
  return ids;
}

void Oracle::OnWorkerFault(std::uint64_t execution, const std::string& status, Time now) {
  const Execution& one = executions_.at(execution);
  faults_of_[one.measure_id].emplace_back(one.board, status);
  worker_faults_[one.board] = now;
}

void Oracle::OnDisturbed(int agent, int board, Time until) {
  Time& known = disturbed_until_[{agent, board}];
  known = std::max(known, until);
}

bool Oracle::WasDisturbed(const Record& record) const {
  const auto was = [&](int agent, int board) {
    const auto until = disturbed_until_.find({agent, board});
    return until != disturbed_until_.end() && until->second >= record.asked;
  };
  return was(record.agent, record.board) || was(kAll, record.board) || was(record.agent, kAll);
}

bool Oracle::HadAnyFault(const Record& record) const {
  const bool was_disturbed =
      std::any_of(disturbed_until_.begin(), disturbed_until_.end(), [&](const auto& one) {
        const int agent = one.first.first;
        return (agent == kAll || agent == record.agent) && one.second >= record.asked;
      });
  return was_disturbed || std::any_of(worker_faults_.begin(), worker_faults_.end(),
                                      [&](const auto& one) { return one.second >= record.asked; });
}

int Oracle::FaultyExecutions(const Record& record) const {
  int count = 0;
  for (const std::string& id : AttemptsOf(record)) {
    const auto faults = faults_of_.find(id);
    if (faults == faults_of_.end()) continue;
    count += static_cast<int>(
        std::count_if(faults->second.begin(), faults->second.end(),
                      [&](const auto& fault) { return fault.second == record.status; }));
  }
  return count;
}

void Oracle::CheckFailure(const Record& record) {
  if (record.status == "OK" || record.status == "NOISY") return;
  const auto object = [&](const std::string& how) {
    Break("failures are explained", "attempt " + std::to_string(record.attempt) + " of job " +
                                        std::to_string(record.job) + " of agent " +
                                        std::to_string(record.agent) + " is recorded as " +
                                        record.status + how);
  };
  if (record.status == kNoAnswer) {
    if (!record.is_boards_error) return object(", by a request that no board understands");
    if (!HadAnyFault(record)) object(", and nothing was wrong with any board");
    return;
  }
  if (record.status == "LOST" || record.status == "CANCELLED") {
    if (record.is_end) return object(" for good, which says nothing of the candidate");
    const auto drained = drained_at_.find(record.board);
    // Who is not served by a drained board asks another one. What it runs it does not stop.
    const bool was_drained =
        record.status == "LOST" && drained != drained_at_.end() && drained->second >= record.asked;
    if (!was_drained && !WasDisturbed(record))
      object(", and nothing was wrong with the board or the way to it");
    return;
  }
  const std::string on = " on board " + std::to_string(record.board);
  if (!IsWorkersFault(record.status)) return object(on + ", which nothing in this world causes");
  // The end may be that of an earlier attempt, when no board is left for another one.
  const std::set<std::string> ids =
      record.is_end ? AttemptsOf(record) : std::set<std::string>{record.measure_id};
  const bool was_caused = std::any_of(ids.begin(), ids.end(), [&](const std::string& id) {
    const auto faults = faults_of_.find(id);
    return faults != faults_of_.end() &&
           std::find(faults->second.begin(), faults->second.end(),
                     std::pair(record.board, record.status)) != faults->second.end();
  });
  if (!was_caused) return object(on + ", whose worker did not fail so");
  if (!record.is_end) return;
  const int needed = FailuresOfACandidate(record.status);
  if (needed == 0) return object(" for good, which says nothing of the candidate");
  const int seen = FaultyExecutions(record);
  if (seen >= needed) return;
  object(" for good after " + std::to_string(seen) + " such failures, expected " +
         std::to_string(needed));
}

}  // namespace bitpilot::simulation
