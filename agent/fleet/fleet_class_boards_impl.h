// What OpenFleetClasses() gives; for its own sources alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/class_boards.h"
#include "agent/fleet/class_member_board.h"
#include "agent/fleet/fleet_class_boards.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/golden_logits.h"
#include "kernels/base/status.h"

namespace bitpilot {

class FleetClassBoards final : public ClassBoards {
 public:
  // judged: classes whose boards wait for Judge().
  FleetClassBoards(const FleetClassOptions& options, const std::set<std::string>& judged);
  ~FleetClassBoards() override;

  void AddBoard(const BoardAddress& address, const AgentKeys& keys);
  // The class's member, to be asked first at `board`; 0: nobody is there yet.
  void AddMember(const std::string& on, fleet::BoardId board, const BoardInfo& info);
  Status WaitForClasses(const std::vector<std::string>& tags);

  Board& BoardOf(const std::string& on) override;
  int Slots(const std::string& on) override;
  int MaxStarted(const std::string&) override { return kMaxClassSlots; }
  bool SharesThisMachine() override;
  Result<MeasureNumber> Start(const std::string& on, const MeasureJob& job) override;
  Result<std::optional<ClassAnswer>> TakeAnswer() override;
  Result<std::optional<ClassAnswer>> WaitForAnswer() override;
  Result<MeasureNumber> StartOn(const std::string& on, const std::string& board,
                                const MeasureJob& job) override {
    return StartPinned(on, board, job, /*class_tag=*/on);
  }
  Result<MeasureNumber> StartToJudge(const std::string& on, const std::string& board,
                                     const MeasureJob& job) override {
    return StartPinned(on, board, job, /*class_tag=*/"");
  }
  void GiveUpOne(MeasureNumber number) override;
  std::vector<ClassMember> Members(const std::string& on) override;
  void Judge(const std::string& on, const ClassMember& board, bool is_pooled,
             const std::string& why) override;
  void WhileWaiting(std::function<Status()> look_after) override {
    while_waiting_ = std::move(look_after);
  }
  void Prefer(const std::string& on, const std::string& board) override;
  void Recorded(MeasureNumber number) override;
  void GiveUp() override;

 private:
  // A measurement that one board was asked for.
  struct Pinned {
    fleet::BoardId board = 0;
    std::chrono::steady_clock::time_point since;
    bool is_lost = false;  // the board was no longer the class's when it was asked
  };

  // class_tag: JobSpec's.
  Result<MeasureNumber> StartPinned(const std::string& on, const std::string& board,
                                    const MeasureJob& job, const std::string& class_tag);
  // Reports of the boards of a class, as the fleet has them now.
  std::vector<fleet::BoardReport> BoardsOf(const std::string& on);
  bool IsJudged(const std::string& on) const { return judged_.contains(on); }
  bool IsListedFor(const fleet::BoardReport& report, const std::string& on) const;
  // What each board that is listed for a class is like, for people.
  std::vector<std::string> Describe(const std::vector<fleet::BoardReport>& all,
                                    const std::string& on) const;
  Result<ClassAnswer> AnswerOf(fleet::JobEnded ended);
  // Of one that was asked for alone and has been away for too long.
  std::optional<ClassAnswer> TakeLost();
  ClassAnswer Lose(JobId id);
  ClassAnswer LostAnswer(JobId id);
  std::optional<fleet::BoardId> BoardNamed(const std::string& name) const;

  const FleetClassOptions options_;
  const std::set<std::string> judged_;
  GoldenLogits golden_;
  std::map<fleet::BoardId, std::vector<std::string>> tags_;
  std::map<fleet::BoardId, std::string> names_;
  std::set<JobId> started_;
  std::map<JobId, std::string> classes_;                         // of what was started
  std::map<JobId, Pinned> pinned_;                               // of these
  std::set<std::pair<std::string, fleet::BoardId>> judged_out_;  // by class
  std::chrono::steady_clock::time_point looked_at_pinned_;
  std::map<JobId, int> unrecorded_;  // their attempts
  std::function<Status()> while_waiting_;
  FleetDriver fleet_;
  const ClassMemberFleet member_fleet_{fleet_,        golden_,        names_,
                                       options_.stop, while_waiting_, options_.move_after};
  std::map<std::string, std::unique_ptr<ClassMemberBoard>> members_;
};

}  // namespace bitpilot
