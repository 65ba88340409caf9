// ClientCore's part that says how long a board may be away, and what to tell about it.
#include <algorithm>
#include <string>

#include "agent/fleet/client_core.h"
#include "agent/fleet/link_refusal.h"
#include "agent/fleet/quarantine_reason.h"
#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// A daemon that starts again needs less: not worth a word.
constexpr milliseconds kNoticeAfter{3000};

// fleet::Notice::group of boards that are away.
std::string GroupOf(Absence absence) {
  switch (absence) {
    case Absence::kHeldByOther:
      return "work for other agents";
    case Absence::kDrained:
      return "take no new work";
    case Absence::kRefused:
      return "refused their leases";
    case Absence::kNoAnswer:
      break;
  }
  return "do not answer";
}

// Rounded to the nearest.
std::string Seconds(milliseconds time) {
  return std::to_string((time.count() + 500) / 1000) + " s";
}

}  // namespace

Instant ClientCore::GiveUpAt() const {
  milliseconds limit = was_ready_ ? options_.reconnect_timeout : options_.connect_timeout;
  if (held_by_other()) limit = std::max(limit, options_.lease_wait);
  return *away_since_ + limit;
}

// The first connection's few seconds pass in silence, unless they are a wait for another agent.
std::optional<Instant> ClientCore::NoticeAt() const {
  if (!away_since_ || away_noticed_ || !(was_ready_ || held_by_other())) return std::nullopt;
  return *away_since_ + kNoticeAfter;
}

void ClientCore::NoticeAbsence() {
  const std::optional<Instant> due = NoticeAt();
  if (!due || now_ < *due) return;
  away_noticed_ = true;
  const milliseconds left = GiveUpAt() - now_;
  actions_.emplace_back(
      BoardNotice{DescribeAbsence() + ": waiting " +
                      (left > kForever / 2 ? "" : "up to " + Seconds(left) + " ") + "for it",
                  GroupOf(absence_)});
}

void ClientCore::EndAbsence() {
  if (away_noticed_) {
    actions_.emplace_back(BoardNotice{BoardLabel() + (was_ready_ ? " is back" : " is free") +
                                          " after " + Seconds(now_ - *away_since_),
                                      was_ready_ ? "are back" : "are free"});
  }
  away_noticed_ = false;
  away_since_.reset();
  absence_ = Absence::kNoAnswer;
}

std::string ClientCore::DescribeAbsence() const {
  switch (absence_) {
    case Absence::kHeldByOther:
      return BoardLabel() +
             (last_loss_.empty() ? " works for other agents"
                                 : " is leased to another agent, " + Quoted(last_loss_)) +
             (queue_position_ > 1
                  ? " (this one is number " + std::to_string(queue_position_) + " of its queue)"
                  : "");
    case Absence::kDrained:
      return BoardLabel() + (last_loss_.empty() ? " takes no new work" : " is " + WhyAway());
    case Absence::kRefused:
      return BoardLabel() + " refused its lease (" + last_loss_ + ")";
    case Absence::kNoAnswer:
      break;
  }
  return BoardLabel() + " does not answer" + (last_loss_.empty() ? "" : " (" + last_loss_ + ")");
}

std::string ClientCore::WhyAway() const {
  if (absence_ != Absence::kDrained) return last_loss_;
  return last_loss_.empty() ? "it takes no new work" : DescribeDrain(last_loss_);
}

Status ClientCore::AwayStatus() const {
  if (handshake_failed_ && !was_ready_) {
    return HandshakeNotCompleted(BoardLabel());
  }
  const auto advice = [this]() -> std::string {
    switch (absence_) {
      case Absence::kHeldByOther:
        return "try again when that one has ended";
      case Absence::kDrained:
        if (last_loss_.empty()) return "its bitpilotd ends, or an operator drained it";
        return "`bitpilot fleet " +
               std::string(IsQuarantineReason(last_loss_) ? "release " : "undrain ") +
               options_.board_name + "` ends that";
      case Absence::kRefused:
        return "its bitpilotd may be newer than this agent: install matching builds";
      case Absence::kNoAnswer:
        break;
    }
    return "check that bitpilotd, and no other program, listens there and that the network lets us "
           "through";
  };
  return {StatusCode::kUnavailable, DescribeAbsence() + ": " + advice()};
}

std::string ClientCore::BoardLabel() const {
  return "board '" + options_.board_name + "' at " + options_.endpoint;
}

}  // namespace bitpilot
