// Oracle's part that knows what waits on a board, and checks whose turn it is.
#include <algorithm>
#include <utility>

#include "experiments/reliability/oracle.h"

namespace bitpilot::simulation {

bool Oracle::IsHeldForSure(const BoardState& state, const std::string& session, Time now) {
  const auto lease = state.leases.find(session);
  if (lease == state.leases.end()) return false;
  // The lease of whose job waits does not end, however long nothing comes from its session. A drained
  // board ends the others.
  return (now < lease->second.certain_until && !state.is_drained) ||
         (state.is_drained && state.running_session == session) ||
         std::any_of(state.waiting.begin(), state.waiting.end(), [&](const auto& one) {
           return one.second.session == session && one.second.has_lease;
         });
}

bool Oracle::MayBeHeld(const BoardState& state, const std::string& session, Time now) {
  const auto lease = state.leases.find(session);
  if (lease == state.leases.end()) return false;
  if (now <= lease->second.possible_until) return true;
  // A job that runs may have been asked for again by another session of its user.
  const auto running =
      state.running_session ? state.users.find(*state.running_session) : state.users.end();
  return (running != state.users.end() && running->second == lease->second.user) ||
         std::any_of(state.waiting.begin(), state.waiting.end(),
                     [&](const auto& one) { return one.second.session == session; });
}

void Oracle::OnAccepted(int board, const std::string& session, const std::string& user,
                        const std::string& job, Time now) {
  BoardState& state = boards_[board];
  if (state.executed.contains(job)) return;  // it runs
  if (state.is_drained && !state.waiting.contains(job)) {
    Break("drained boards rest",
          "board " + std::to_string(board) + " is drained and takes a job of " + user);
  }
  const auto [waiting, is_new] = state.waiting.try_emplace(job);
  Waiting& one = waiting->second;
  if (is_new) {
    one = {session, user, state.priorities[session], ++num_arrivals_, false, 0, 0};
    // Only who has a lease is given new work.
    const auto lease = state.leases.find(session);
    if (lease != state.leases.end()) lease->second.certain_until = now + lease->second.ttl;
  }
  one.has_lease = false;  // Or it would be the reason for itself.
  one.session = session;
  one.has_lease = IsHeldForSure(state, session, now);
}

void Oracle::CheckTurn(int board, const std::string& job, Time now) {
  BoardState& state = boards_[board];
  const auto found = state.waiting.find(job);
  if (found == state.waiting.end()) {
    return Break("no execution without lease",
                 "board " + std::to_string(board) + " starts a job that does not wait");
  }
  const Waiting next = found->second;
  state.waiting.erase(found);
  PassOver(board, {next, next.arrival, /*is_reservation=*/false}, now);
}

void Oracle::PassOverBy(int board, const std::string& applicant, Time now) {
  const BoardState& state = boards_[board];
  Next next;
  next.waiting.session = applicant;
  next.latest_arrival = num_arrivals_ + 1;
  const auto asked = state.applicants.find(applicant);
  next.waiting.arrival = asked == state.applicants.end() ? 0 : asked->second;
  next.is_reservation = true;
  PassOver(board, next, now);
}

void Oracle::PassOver(int board, const Next& next, Time now) {
  BoardState& state = boards_[board];
  const std::string name = "board " + std::to_string(board);
  bool may_be_reserved = false;
  for (const auto& [session, lease] : state.leases) {
    if (!lease.is_reservation) continue;
    if (IsHeldForSure(state, session, now)) return;  // Only its holder's jobs begin.
    may_be_reserved = may_be_reserved || MayBeHeld(state, session, now);
  }
  for (auto& [job, other] : state.waiting) {
    if (next.is_reservation && other.session == next.waiting.session) continue;
    const bool is_held = IsHeldForSure(state, other.session, now);
    ++lease_questions_;
    if (!is_held && MayBeHeld(state, other.session, now)) ++open_lease_questions_;
    const bool could_begin = !may_be_reserved && is_held;
    if (!next.is_reservation && could_begin && other.priority > next.waiting.priority &&
        next.waiting.overtaken_at_most < kMostOvertakers) {
      Break("turns in order", name + " starts a job of " + next.waiting.user + " before one of " +
                                  other.user + ", whose priority is higher");
    }
    if (other.arrival < next.latest_arrival) ++other.overtaken_at_most;
    if (!could_begin || other.arrival >= next.waiting.arrival) continue;
    most_overtakers_ = std::max(most_overtakers_, ++other.overtaken);
    if (other.overtaken <= kMostOvertakers) continue;
    Break("turns in order", name + " passes a job of " + other.user + " over " +
                                std::to_string(other.overtaken) + " times");
  }
}

}  // namespace bitpilot::simulation
