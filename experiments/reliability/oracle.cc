#include "experiments/reliability/oracle.h"

#include <algorithm>
#include <utility>

#include "kernels/base/sha256.h"

namespace bitpilot::simulation {
namespace {

std::string Short(const std::string& id) { return BytesToHex(id).substr(0, 8); }

std::string BoardName(int board) { return "board " + std::to_string(board); }

std::string NameOf(const Oracle::Record& record) {
  return "job " + std::to_string(record.job) + " of agent " + std::to_string(record.agent);
}

}  // namespace

void Oracle::Break(const std::string& law, const std::string& how) {
  if (!violation_) violation_ = law + ": " + how;
}

void Oracle::OnBoardStarted(int board, int boot, const std::string& kind) {
  BoardState& state = boards_[board];
  state.boot = boot;
  // What it measured when it was another one is no result of it as it is now.
  if (state.kind != kind)
    std::erase_if(stored_, [&](const auto& one) { return one.first == board; });
  state.kind = kind;
  state.taken_before_drain.clear();
  state.leases.clear();
  state.users.clear();
  state.priorities.clear();
  state.waiting.clear();
  state.applicants.clear();
  state.last_request_ids.clear();
  state.executed.clear();
  state.running_session.reset();
}

void Oracle::OnLeaseGranted(int board, const Grant& grant, Time now) {
  BoardState& state = boards_[board];
  const auto [known, is_new] = state.epochs.try_emplace(grant.epoch, grant.session);
  if (!is_new) {
    Break("one lease an epoch", BoardName(board) + " gave epoch " + std::to_string(grant.epoch) +
                                    " to a second session of " + grant.user);
  }
  for (const auto& [session, lease] : state.leases) {
    const bool are_both = grant.is_reservation && lease.is_reservation;
    if (!are_both || session == grant.session || !IsHeldForSure(state, session, now)) continue;
    Break("one lease an epoch", BoardName(board) + " gave a reservation to " + grant.user +
                                    " while " + lease.user + " has one");
  }
  if (state.is_drained) {
    Break("drained boards rest",
          BoardName(board) + " is drained and gives a lease to " + grant.user);
  }
  if (grant.is_reservation) PassOverBy(board, grant.session, now);
  state.applicants.erase(grant.session);
  state.users[grant.session] = grant.user;
  state.leases[grant.session] =
      Lease{grant.user, grant.is_reservation, grant.ttl, now + grant.ttl, now + grant.ttl};
}

bool Oracle::OnSessionMessage(int board, const std::string& session, std::uint64_t request_id,
                              Time now) {
  BoardState& state = boards_[board];
  std::uint64_t& last = state.last_request_ids[session];
  if (request_id <= last) return false;  // It renews nothing.
  last = request_id;
  const auto found = state.leases.find(session);
  if (found == state.leases.end()) return true;
  Lease& lease = found->second;
  if (IsHeldForSure(state, session, now)) lease.certain_until = now + lease.ttl;
  if (MayBeHeld(state, session, now)) lease.possible_until = now + lease.ttl;
  return true;
}

void Oracle::OnLeaseAsked(int board, const std::string& session, int priority,
                          bool is_reservation) {
  BoardState& state = boards_[board];
  state.priorities[session] = priority;
  if (is_reservation) {
    if (!state.applicants.contains(session)) state.applicants[session] = ++num_arrivals_;
  } else {
    state.applicants.erase(session);
  }
}

void Oracle::OnLeaseFailed(int board, const std::string& session, Time now) {
  // The board may have counted that it went first.
  if (boards_[board].applicants.contains(session)) PassOverBy(board, session, now);
  OnLeaseReleased(board, session);
}

void Oracle::OnLeaseReleased(int board, const std::string& session) {
  boards_[board].leases.erase(session);
  boards_[board].applicants.erase(session);
}

void Oracle::CheckLease(int board, const std::string& session, Time now) {
  const BoardState& state = boards_[board];
  const auto user = state.users.find(session);
  if (user == state.users.end()) {
    return Break("no execution without lease",
                 BoardName(board) + " starts a job of a session without a lease");
  }
  bool has_lease = false;
  bool has_for_sure = false;
  for (const auto& [holder, lease] : state.leases) {
    if (lease.user == user->second) {
      has_lease = has_lease || MayBeHeld(state, holder, now);
      has_for_sure = has_for_sure || IsHeldForSure(state, holder, now);
    } else if (lease.is_reservation && IsHeldForSure(state, holder, now)) {
      return Break("no execution without lease", BoardName(board) + " starts a job of " +
                                                     user->second + ", and " + lease.user +
                                                     " has a reservation");
    }
  }
  ++lease_questions_;
  if (has_lease && !has_for_sure) ++open_lease_questions_;
  if (has_lease) return;
  Break("no execution without lease",
        BoardName(board) + " starts a job of " + user->second + ", which has no lease");
}

std::uint64_t Oracle::OnExecutionStarted(int board, const std::string& session, Execution execution,
                                         bool is_measurement, Time now) {
  BoardState& state = boards_[board];
  if (is_measurement && !state.executed.insert(execution.measure_id).second) {
    Break("one execution a boot",
          BoardName(board) + " executes " + Short(execution.measure_id) + " a second time");
  }
  if (is_measurement && stored_.contains({board, execution.measure_id})) {
    Break("stored results last", BoardName(board) + " executes " + Short(execution.measure_id) +
                                     ", whose result it has stored");
  }
  if (state.running_session) {
    Break("no execution without lease", BoardName(board) + " runs two jobs at once");
  }
  CheckLease(board, session, now);
  CheckTurn(board, execution.measure_id, now);
  if (state.is_drained && !state.taken_before_drain.contains(execution.measure_id)) {
    Break("drained boards rest",
          BoardName(board) + " is drained and begins a job that it took afterwards");
  }
  state.running_session = session;
  state.running_job = execution.measure_id;
  executions_.push_back(std::move(execution));
  return executions_.size() - 1;
}

void Oracle::OnExecutionEnded(int board, Time now) {
  BoardState& state = boards_[board];
  // The lease of whose job runs does not end.
  const auto user =
      state.running_session ? state.users.find(*state.running_session) : state.users.end();
  if (user != state.users.end()) {
    for (auto& [session, lease] : state.leases) {
      if (lease.user == user->second) lease.possible_until = now + lease.ttl;
    }
  }
  state.running_session.reset();
}

void Oracle::OnDrained(int board, bool is_drained, Time now) {
  BoardState& state = boards_[board];
  drained_at_[board] = now;
  state.is_drained = is_drained;
  state.taken_before_drain.clear();
  // Leases of sessions without jobs end, and were perhaps ended.
  for (auto& [session, lease] : state.leases) lease.certain_until = Time{0};
  if (!is_drained) return;
  for (const auto& [job, waiting] : state.waiting) state.taken_before_drain.insert(job);
}

void Oracle::OnAcknowledged(int board, const std::string& measure_id) {
  if (not_recorded_.contains(measure_id)) return;
  acknowledged_.insert(measure_id);
  if (durable_.contains(measure_id)) return;
  Break("nothing acknowledged is lost", "the acknowledgement of " + Short(measure_id) +
                                            " reaches " + BoardName(board) +
                                            ", and no study has it");
}

void Oracle::OnRecorded(const Record& record) {
  if (!recorded_.insert({record.measure_id, record.attempt}).second) {
    Break("recorded once", "attempt " + std::to_string(record.attempt) + " of " + NameOf(record) +
                               ", " + Short(record.measure_id) + ", is recorded twice");
  }
  if (record.is_end && !ended_.insert({record.agent, record.job}).second) {
    Break("recorded once", "the end of " + NameOf(record) + " is recorded twice");
  }
  durable_.insert(record.measure_id);
  CheckFailure(record);
  CheckNumbers(record);
}

// The study asks for a measurement by an id of its own, so that numbers of another job of the same
// networks are not taken for it.
void Oracle::CheckNumbers(const Record& record) {
  const auto object = [&](const std::string& how) {
    Break("numbers are measured", "the numbers of " + NameOf(record) + " " + how);
  };
  const std::vector<Number>& numbers = record.images.empty() ? record.numbers : record.images;
  const bool has_numbers = record.status == "OK" || record.status == "NOISY";
  if (numbers.empty() && has_numbers) object("are gone: it is recorded as " + record.status);
  if (numbers.empty()) return;
  const bool infers = !record.images.empty();
  if (!infers && numbers.size() != record.networks.size()) object("are not one a network");
  if (!infers && !AttemptsOf(record).contains(record.measure_id)) {
    object("are of a measurement that was asked for another job");
  }
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const bool is_known = numbers[i].execution < executions_.size();
    const Execution* execution = is_known ? &executions_[numbers[i].execution] : nullptr;
    if (execution == nullptr || execution->board != record.board ||
        execution->networks != record.networks ||
        (!infers && execution->measure_id != record.measure_id)) {
      return object("are not those of an execution of it on " + BoardName(record.board));
    }
    if (numbers[i].position != i) return object("are exchanged among each other");
    if (!infers && execution->status != record.status) {
      return object("are recorded as " + record.status + ", and were " + execution->status);
    }
  }
  if (infers) return;
  const std::string& kind = executions_[numbers.front().execution].kind;
  const auto known = classes_.try_emplace({record.agent, record.class_tag}, kind).first;
  if (known->second != kind) {
    Break("classes stay apart", "class '" + record.class_tag + "' of agent " +
                                    std::to_string(record.agent) + " has numbers of '" +
                                    known->second + "' and of '" + kind + "'");
  }
}

void Oracle::OnRecordLost(int agent, const std::string& measure_id) {
  durable_.erase(measure_id);
  if (acknowledged_.contains(measure_id)) {
    Break("nothing acknowledged is lost", "agent " + std::to_string(agent) + " has lost " +
                                              Short(measure_id) + ", which it acknowledged");
  }
}

void Oracle::OnBoardAdded(int agent, int board) {
  power_cuts_.erase({agent, board});
  told_drained_.erase({agent, board});
}

void Oracle::OnToldDrained(int agent, int board, bool is_drained) {
  if (is_drained) {
    told_drained_.insert({agent, board});
  } else {
    told_drained_.erase({agent, board});
  }
}

bool Oracle::MayCutPower(int agent, int board, int max_power_cycles) const {
  const auto cuts = power_cuts_.find({agent, board});
  return cuts == power_cuts_.end() || cuts->second < max_power_cycles;
}

void Oracle::OnPowerCut(int agent, int board, int max_power_cycles) {
  if (told_drained_.contains({agent, board})) {
    Break("drained boards rest", "agent " + std::to_string(agent) + " power-cycles " +
                                     BoardName(board) + ", of which it says that it is drained");
  }
  const int cuts = ++power_cuts_[{agent, board}];
  if (cuts > max_power_cycles) {
    Break("bounded power cycles", "agent " + std::to_string(agent) + " power-cycles " +
                                      BoardName(board) + " for the " + std::to_string(cuts) +
                                      "th time");
  }
}

void Oracle::OnQueue(const std::string& what, std::size_t size, std::size_t limit) {
  Peak& peak = peaks_[what];
  if (size > peak.size) peak = {size, limit};
  if (size <= limit) return;
  Break("bounded queues",
        what + " holds " + std::to_string(size) + ", expected at most " + std::to_string(limit));
}

}  // namespace bitpilot::simulation
