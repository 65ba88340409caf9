#include "agent/fleet/job_queue.h"

#include <algorithm>
#include <tuple>

#include "kernels/base/check.h"

namespace bitpilot::fleet {

void JobQueue::Add(Entry& entry) {
  BITPILOT_CHECK(!where_.contains(entry.job));
  LaneState& lane = lanes_[entry.lane];
  if (!entry.given_before) entry.given_before = lane.given;
  const LineKey key{entry.stream, entry.priority};
  Line& line = lane.lines[key];
  const auto later = std::find_if(line.begin(), line.end(),
                                  [&](const Entry& other) { return other.place > entry.place; });
  line.insert(later, entry);
  where_[entry.job] = {entry.lane, key};
  ++streams_[entry.stream].waiting;
}

void JobQueue::Remove(JobId job) {
  const auto where = where_.find(job);
  if (where == where_.end()) return;
  const auto& [lane_key, line_key] = where->second;
  LaneState& lane = lanes_.at(lane_key);
  Line& line = lane.lines.at(line_key);
  const std::string stream = line_key.first;
  std::erase_if(line, [&](const Entry& entry) { return entry.job == job; });
  if (line.empty()) lane.lines.erase(line_key);
  where_.erase(where);
  LeaveStream(stream);
}

void JobQueue::LeaveStream(const std::string& stream) {
  if (--streams_.at(stream).waiting == 0) streams_.erase(stream);
}

std::optional<JobId> JobQueue::Take(const std::vector<Lane>& lanes, BoardId board) {
  Choice best;
  for (const Lane& lane : lanes) {
    const auto found = lanes_.find(lane);
    if (found != lanes_.end()) Consider(found->second, board, best);
  }
  if (best.entry == nullptr) return std::nullopt;
  const JobId job = best.entry->job;
  ++lanes_.at(best.entry->lane).given;
  streams_.at(best.entry->stream).last_turn = ++turns_;
  Remove(job);
  return job;
}

void JobQueue::Consider(const LaneState& lane, BoardId board, Choice& best) const {
  for (const auto& [key, line] : lane.lines) {
    const auto first = std::find_if(line.begin(), line.end(), [&](const Entry& entry) {
      return !entry.avoids.contains(board) && entry.kept_for.value_or(board) == board;
    });
    if (first == line.end()) continue;
    const std::uint64_t age = (lane.given - *first->given_before) / kAgeing;
    const Choice choice{&*first, first->priority + static_cast<std::int64_t>(age),
                        streams_.at(first->stream).last_turn};
    const auto rank = [](const Choice& one) {
      return std::tuple(-one.level, one.last_turn, one.entry->place);
    };
    if (best.entry == nullptr || rank(choice) < rank(best)) best = choice;
  }
}

}  // namespace bitpilot::fleet
