// JobQueue: the jobs that wait for a board, and which of them a board gets next.
//
// A job waits in one lane: that of a class, or of one board. A board takes from several lanes.
//
//   Priority   The higher one goes first.
//   Fairness   Of equal priority, the stream that was served longest ago; within a stream, the job
//              that came first.
//   Ageing     For every kAgeing jobs that a lane gave out while a job waited in it, the job counts
//              one level higher: no job waits for ever.
//
// Pure bookkeeping, in an order that depends on nothing but the calls.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/fleet_events.h"

namespace bitpilot::fleet {

struct Lane {
  std::string tag;
  std::optional<BoardId> only_on;  // as JobSpec says
  friend auto operator<=>(const Lane&, const Lane&) = default;
};

class JobQueue {
 public:
  static constexpr std::uint64_t kAgeing = 8;

  struct Entry {
    JobId job = 0;
    Lane lane;
    int priority = 0;
    std::string stream;
    std::uint64_t place = 0;               // of the job's arrival: one that comes back keeps it
    std::set<BoardId> avoids;              // boards that must not get it
    std::optional<BoardId> kept_for = {};  // the only board that may
    // Jobs that the lane had given out when this one came; set by Add() at first.
    std::optional<std::uint64_t> given_before = {};
  };

  // REQUIRES: the job is not in the queue.
  void Add(Entry& entry);
  // Does nothing if the job is not there.
  void Remove(JobId job);

  // Takes the job that `board` gets next out of `lanes`.
  std::optional<JobId> Take(const std::vector<Lane>& lanes, BoardId board);

  bool Contains(JobId job) const { return where_.contains(job); }
  std::size_t size() const { return where_.size(); }

 private:
  // Jobs of one stream and priority, by place.
  using LineKey = std::pair<std::string, int>;
  using Line = std::deque<Entry>;
  struct LaneState {
    std::map<LineKey, Line> lines;
    std::uint64_t given = 0;
  };
  struct Choice {
    const Entry* entry = nullptr;
    std::int64_t level = 0;
    std::uint64_t last_turn = 0;  // of its stream
  };

  void Consider(const LaneState& lane, BoardId board, Choice& best) const;
  // Forgets what is kept of a stream without jobs.
  void LeaveStream(const std::string& stream);

  std::map<Lane, LaneState> lanes_;
  std::map<JobId, std::pair<Lane, LineKey>> where_;
  struct Stream {
    std::size_t waiting = 0;
    std::uint64_t last_turn = 0;
  };
  std::map<std::string, Stream> streams_;  // that have jobs
  std::uint64_t turns_ = 0;
};

}  // namespace bitpilot::fleet
