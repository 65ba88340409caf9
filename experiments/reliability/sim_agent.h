// SimAgent: an agent of the simulated world: the real FleetCore, with a study whose commits take time
// and may be cut off by a crash.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/fleet/fleet_core.h"
#include "experiments/reliability/oracle.h"
#include "experiments/reliability/scenario.h"
#include "experiments/reliability/study.h"

namespace bitpilot::simulation {

class World;

class SimAgent {
 public:
  static constexpr int kMaxPowerCycles = 3;

  SimAgent(World& world, int index, Study study);
  ~SimAgent();
  SimAgent(const SimAgent&) = delete;
  SimAgent& operator=(const SimAgent&) = delete;

  void Start();
  // Killed: what is not on the disk is gone.
  void Crash();
  // Stopped as by SIGSTOP: what arrives is handled later.
  void Freeze(std::chrono::milliseconds time);
  void LeaveBoard(int board, std::chrono::milliseconds time);

  void OnLink(int board, ClientEvent event);

  bool is_running() const { return core_ != nullptr; }
  bool is_done() const { return num_open_ == 0 && is_closed_; }
  // Goes up with every start.
  int life() const { return life_; }
  std::string DescribeOpenJobs() const;

 private:
  // A job in the core: the study's number of it.
  struct Submitted {
    int job = 0;
    bool is_measurement = false;
    std::chrono::milliseconds since{0};  // it waits for the present attempt
  };

  void Step(fleet::Event event);
  void ArmTimer();
  void AddBoard(int board);
  void Submit(int job);

  // One overload an action.
  void Do(fleet::LinkAction& action);
  void Do(fleet::AttemptEnded& action);
  void Do(fleet::JobEnded& action);
  void Do(fleet::BoardChanged& action);
  void Do(fleet::BoardDescribed& action);
  void Do(fleet::MeasurementsKnown&) {}
  void Do(fleet::KernelsChosen&) {}
  void Do(fleet::CutPower& action);
  void Do(fleet::Notice& action);
  void Do(fleet::BoardGone& action) { boards_of_.erase(action.board); }
  void Do(fleet::FleetClosed&) { is_closed_ = true; }

  // Writes a record, which is on the disk a moment later, and goes on.
  // info: of the board that gave numbers.
  void Commit(JobId id, Oracle::Record record, const BoardInfo& info);
  void OnCommitted(JobId id, const Oracle::Record& record, const BoardInfo& info);
  // What an agent with a planted bug makes of a record; true if it goes on with that itself.
  bool PlayBugs(JobId id, Oracle::Record& record, const BoardInfo& info);
  void SwapWithAnother(JobId id, Oracle::Record record, const BoardInfo& info);
  // Whoever is unlike its class must be said to be.
  void CheckNames();
  Oracle::Record RecordOf(const fleet::JobEnded& action, const Submitted& submitted) const;
  int BoardOf(std::optional<fleet::BoardId> id) const;

  World& world_;
  const int index_;
  Study study_;
  std::string last_measure_id_;  // of the last record
  int num_open_ = 0;
  int life_ = 0;

  // Gone with a crash.
  std::unique_ptr<fleet::FleetCore> core_;
  std::map<JobId, Submitted> submitted_;
  std::map<fleet::BoardId, int> boards_of_;
  std::map<fleet::BoardId, BoardInfo> infos_;
  JobId last_job_ = 0;
  fleet::BoardId last_board_ = 0;
  std::set<fleet::BoardId> opened_;   // whose link was opened
  std::set<fleet::BoardId> leaving_;  // that were removed
  std::string health_network_;
  bool is_closed_ = false;
  bool has_news_of_boards_ = false;
  std::map<std::string, std::chrono::milliseconds> sent_;  // measure ids: first to a board
  struct Held {
    JobId id = 0;
    Oracle::Record record;
    BoardInfo info;
  };
  std::optional<Held> held_;  // by a planted bug
  std::chrono::milliseconds frozen_until_{0};
  std::optional<std::chrono::milliseconds> timer_at_;
};

}  // namespace bitpilot::simulation
