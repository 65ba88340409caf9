// FleetClassBoards: the classes of a fleet, whose boards measure in parallel: FleetDriver schedules,
// tries again, quarantines, and leaves out what is unlike its class (agent/fleet/fleet_core.h).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/fleet/fleet_driver.h"
#include "agent/session/class_boards.h"
#include "agent/session/fleet_classes.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct FleetClassOptions {
  std::function<bool()> stop;                         // polled while waiting
  std::function<void(const std::string&)> notice;     // what people should know
  std::optional<std::chrono::milliseconds> max_wait;  // SearchOptions::max_wait
  // A board's job is given to another one when it has been away for so long.
  std::chrono::milliseconds move_after{20'000};
  // What boards of each class must be like; nothing: like the first one that comes.
  std::map<ClassId, BoardInfo> expected;
};

class FleetClassBoards final : public ClassBoards {
 public:
  // Tickets in flight of a class at most.
  static constexpr int kMaxSlots = 16;

  // Connects, and waits until each class has a board.
  //
  // Errors:
  //   kUnavailable  a class has had none for max_wait, or all of its boards refused; says which and why.
  //   kAborted      options.stop returned true.
  static Result<std::unique_ptr<FleetClassBoards>> Open(const FleetClasses& classes,
                                                        const std::vector<ClassId>& tags,
                                                        const FleetClassOptions& options);

  Board& BoardOf(const ClassId& on) override;
  // Boards of the class that work; of one board, as many as OneBoard's.
  int Slots(const ClassId& on) override;
  int MaxStarted(const ClassId&) override { return kMaxSlots; }
  bool SharesThisMachine() override;
  Result<MeasureNumber> Start(const ClassId& on, const MeasureJob& job) override;
  Result<std::optional<ClassAnswer>> TakeAnswer() override;
  Result<ClassAnswer> WaitForAnswer() override;
  void Recorded(MeasureNumber number) override;
  void GiveUp() override;

  // Reports of the boards of a class, as the fleet has them now.
  std::vector<fleet::BoardReport> BoardsOf(const ClassId& on);

 private:
  class Member;

  FleetClassBoards(const FleetClassOptions& options, fleet::FleetOptions fleet_options);
  Status WaitForClasses(const std::vector<ClassId>& tags);
  Result<ClassAnswer> AnswerOf(fleet::JobEnded ended);

  const FleetClassOptions options_;
  std::map<fleet::BoardId, std::vector<std::string>> tags_;
  std::map<fleet::BoardId, std::string> names_;
  std::map<ClassId, std::unique_ptr<Member>> members_;
  std::set<JobId> started_;
  std::map<JobId, fleet::JobEnded> unrecorded_;  // without their measurements
  FleetDriver fleet_;
};

}  // namespace bitpilot
