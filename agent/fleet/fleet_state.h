// What FleetCore keeps of each board and job.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/fleet_core.h"

namespace bitpilot::fleet {

// Ids of health checks: no job that is added has one.
inline constexpr JobId kCheckIds = JobId{1} << 63;

// A class without a board for less is not worth a word.
inline constexpr std::chrono::milliseconds kTellLaneAfter{3000};

// Rounded to the nearest, as "3 s".
inline std::string SecondsOf(std::chrono::milliseconds time) {
  return std::to_string((time.count() + 500) / 1000) + " s";
}

struct FleetCore::Board {
  BoardSpec spec;
  std::unique_ptr<ClientCore> client;
  int num_clients = 0;
  bool is_link_closed = false;  // the client has ended in order
  bool is_closing = false;      // and was asked to

  std::optional<BoardInfo> info;
  std::vector<Lane> lanes;  // that it serves; its own alone before it is known
  std::string left_out_why;
  std::map<std::string, std::string> left_out_of;  // by class that it is listed for: what differs
  std::map<std::string, BoardJudged> judgements;   // by class
  std::vector<std::string> gathers_for;  // classes of which it is not known yet what they are like
  std::vector<std::string>
      waits_for;          // classes that it is like, without a judgement that they need
  bool is_unseen = true;  // it has not described itself since its client was started
  Instant looked_at{0};   // it did then, or was judged

  bool is_held = false;                  // there is a lease
  Absence absence = Absence::kNoAnswer;  // of one that is not held
  bool is_drained = false;               // as it said last, whether it answers now or not
  Instant away_since{0};
  Instant unanswered_since{0};  // of one that does not answer
  std::string away_why;
  std::optional<Status> failure;
  std::string told_failure;  // since it worked
  Instant failed_at{0};
  bool is_leaving = false;
  bool is_given_back = false;
  std::optional<Instant> idle_since;  // without work, as of the last Refresh()

  std::optional<JobId> job;  // runs, or goes on as soon as the board can
  std::optional<JobId> check;
  Instant resting_until{0};
  BoardHealth health;
  std::uint64_t last_use = 0;
  int attempts = 0;
  int failures = 0;

  // As of the last Refresh().
  BoardState told_state = BoardState::kConnecting;
  std::optional<Instant> off_hand_since;
  std::string told_why;
  bool could_work = false;
  bool had_failed = false;
  bool was_idle = false;
  std::optional<Instant> wakeup;
};

struct FleetCore::Job {
  // What is told of an attempt and not recorded.
  struct Owed {
    std::optional<BoardId> board;
    std::string measure_id;
  };

  JobSpec spec;
  JobQueue::Entry entry;
  MeasureRetries retries;
  int attempt = 0;
  std::string measure_id;                 // of the attempt; empty for an inference
  std::optional<BoardId> id_known_to;     // the board that was asked under this id
  std::string networks;                   // hashes of what is measured
  std::optional<BoardId> on;              // of its board
  bool is_given = false;                  // the board's client has it
  bool was_given = false;                 // to any board, by this run of the agent
  std::map<BoardId, int> losses;          // of an inference, on each board
  std::optional<JobResult> wrong_output;  // of the board wrong_on, which the job avoids
  std::optional<BoardId> wrong_on;
  // What the last of the boards said that failed at the job and that it avoids.
  std::optional<Status> given_up;
  std::optional<Instant> stranded_since;  // no board works that the job does not avoid
  bool has_ended = false;
  std::map<int, Owed> owed;

  JobId id() const { return spec.request.id; }
  bool is_measurement() const { return std::holds_alternative<MeasureInput>(spec.request.input); }
};

}  // namespace bitpilot::fleet
