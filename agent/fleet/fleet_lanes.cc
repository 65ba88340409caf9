// FleetCore's part that deals with jobs for which no board works.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/class_name.h"
#include "agent/fleet/first_named.h"
#include "agent/fleet/fleet_core.h"
#include "agent/fleet/fleet_state.h"
#include "kernels/base/joined.h"

namespace bitpilot::fleet {

void FleetCore::CheckLanes() {
  const bool changed = std::exchange(lanes_changed_, false);
  CheckChoosyJobs();
  std::vector<Lane> lanes;
  for (const auto& [lane, use] : lanes_) {
    if (use.jobs > 0 && (changed || use.without_since)) lanes.push_back(lane);
  }
  for (const Lane& lane : lanes) CheckLane(lane, lanes_.at(lane));
}

void FleetCore::CheckLane(const Lane& lane, LaneUse& use) {
  int members = 0;
  int hopeless = 0;
  bool works = false;
  bool is_held_by_others = false;
  const Board* last_failed = nullptr;
  for (const auto& [id, board] : boards_) {
    if (!MayServe(*board, lane) || board->is_leaving) continue;
    ++members;
    works = works || (CanWork(*board) && Serves(*board, lane));
    is_held_by_others = is_held_by_others || board->absence == Absence::kHeldByOther;
    if (!IsHopeless(*board)) continue;
    ++hopeless;
    if (last_failed == nullptr || board->failed_at >= last_failed->failed_at) {
      last_failed = board.get();
    }
  }
  const std::string name = ClassLabel(lane.tag);
  is_held_by_others = is_held_by_others && !works;
  if (is_held_by_others != use.is_held_by_others) {
    use.is_held_by_others = is_held_by_others;
    for (const auto& [id, board] : boards_) Touch(*board);
  }
  if (works) {
    if (use.was_told) actions_.emplace_back(Notice{name + " has a board again"});
    use.without_since.reset();
    use.is_old = use.was_told = false;
    return;
  }
  if (!use.without_since) use.without_since = now_;
  if (members > 0 && members == hopeless) {
    if (members == 1) return EndJobsOf(lane, *last_failed->failure);
    return EndJobsOf(lane, {StatusCode::kUnavailable,
                            name + " has no board left: " + Joined(DescribeBoardsOf(lane))});
  }
  if (now_ >= *use.without_since + options_.max_wait) {
    const std::string what =
        lane.only_on ? "a board could not be used for " : name + " had no board that works for ";
    return EndJobsOf(lane, {StatusCode::kUnavailable, what + SecondsOf(options_.max_wait) + ": " +
                                                          Joined(DescribeBoardsOf(lane))});
  }
  if (use.is_old || now_ < *use.without_since + kTellLaneAfter) return;
  use.is_old = true;
  // A single board says itself what is wrong with it.
  if (members == 1) return;
  use.was_told = true;
  const bool is_bounded = options_.max_wait < kForever;
  actions_.emplace_back(Notice{
      name + " has no board that works now: " + FirstNamed(DescribeBoardsOf(lane)) + "; waiting " +
      (is_bounded ? "up to " + SecondsOf(options_.max_wait) + " " : "") + "for one"});
}

std::vector<std::string> FleetCore::DescribeBoardsOf(const Lane& lane) const {
  std::vector<std::string> texts;
  for (const auto& [id, board] : boards_) {
    const bool is_member =
        lane.only_on ? *lane.only_on == id : IsListedFor(*board, lane.tag) && !board->is_leaving;
    if (!is_member) continue;
    auto [state, why] = StateOf(*board);
    std::string left_out_why = lane.only_on ? std::string() : WhyLeftOut(*board, lane.tag);
    if (!left_out_why.empty()) {
      state = BoardState::kLeftOut;
      why = std::move(left_out_why);
    }
    const std::vector<std::string>& waits_for = board->waits_for;
    if (std::find(waits_for.begin(), waits_for.end(), lane.tag) != waits_for.end()) {
      why = "is to be compared with its class first";
    }
    texts.push_back("'" + board->spec.client.board_name + "' is " + std::string(ToString(state)) +
                    (why.empty() ? "" : " (" + why + ")"));
  }
  if (texts.empty()) texts.emplace_back("none is listed");
  return texts;
}

// What becomes of jobs of which no board works that they do not avoid.
void FleetCore::CheckChoosyJobs() {
  const std::set<JobId> choosy = choosy_jobs_;
  for (const JobId id : choosy) {
    Job& job = *jobs_.at(id);
    const OtherBoards others = OthersFor(job, nullptr);
    if (job.on || others == OtherBoards::kNow) {
      job.stranded_since.reset();
      continue;
    }
    if (job.wrong_output) {  // no other can look at it any more: taken at its word
      JobResult result = std::move(*job.wrong_output);
      queue_.Remove(id);
      EndJob(job, std::move(result), Find(*job.wrong_on));
      continue;
    }
    if (!job.stranded_since) {
      job.stranded_since = now_;
      if (others == OtherBoards::kLater) {
        actions_.emplace_back(Notice{"a job waits for a board that did not fail at it: " +
                                     FirstNamed(DescribeBoardsOf(job.entry.lane)) + "; last, " +
                                     job.given_up->message()});
      }
    }
    if (others == OtherBoards::kLater && now_ < *job.stranded_since + options_.max_wait) continue;
    JobResult result;
    result.id = id;
    result.status = *job.given_up;
    queue_.Remove(id);
    EndJob(job, std::move(result), nullptr);
  }
}

}  // namespace bitpilot::fleet
