// FleetDriver: runs FleetCore over ZeroMQ: one thread and one context for all boards, so that boards work
// while their callers train. (Other threads only look up where boards are, board_locator.h.) Whatever may
// take its time happens elsewhere, and what this thread itself is late with counts against no board
// (listening_clock.h).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/board_locator.h"
#include "agent/fleet/fleet_core.h"
#include "agent/fleet/listening_clock.h"
#include "agent/fleet/notice_groups.h"
#include "agent/fleet/power_hook.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/status.h"

namespace bitpilot {

// A board of a fleet.
struct FleetBoard {
  ClientOptions client;
  std::vector<std::string> tags;  // its classes
  AgentKeys keys;
  // Where it is, now and after every loss; a failure is final. Called on a locator's thread, unless
  // `address` says it: of a name there, the last address that it had is tried before a new one is known.
  BoardLocator::Locate locate;
  std::optional<BoardAddress> address;
  std::string power_cycle;  // a shell command that switches it off and on; empty: none
};

// All methods may be called from any thread; callers never touch a socket.
class FleetDriver {
 public:
  // Polled ten times a second in all waits; may be empty.
  using Stop = std::function<bool()>;
  // Told, by a thread that waits, what people should know; may be empty.
  using Notice = std::function<void(const std::string&)>;

  // detail: told each notice that `notice` was told of in one line with others (agent/fleet/notice_groups.h).
  FleetDriver(fleet::FleetOptions options, Notice notice,
              BoardLocator::Means means = BoardLocator::Means::OfThisMachine(), Notice detail = {});
  // Gives the leases back, if that takes less than half a second, and ends the threads. Waits for
  // power-cycle commands that run, which would leave their boards switched off (PowerHook::kLimit), and says
  // so.
  ~FleetDriver();
  FleetDriver(const FleetDriver&) = delete;
  FleetDriver& operator=(const FleetDriver&) = delete;

  fleet::BoardId AddBoard(FleetBoard board);
  // Its job goes to another board.
  void RemoveBoard(fleet::BoardId board);
  // Which kernels boards of a class run: known from before; and all that is known now, empty while nothing
  // is (kernels/runtime/kernel_choices.h, ToText()).
  void TellKernels(const std::string& class_tag, std::string text);
  std::string KernelsOf(const std::string& class_tag);
  void Judge(fleet::BoardJudged judgement);

  // Waits for a board's first lease.
  //
  // Errors: as ConnectBoard; kAborted if `stop` returned true.
  Result<BoardInfo> WaitUntilReady(fleet::BoardId board, const Stop& stop);

  // Queues a job; its id is assigned here.
  JobId Submit(fleet::JobSpec job);

  // Waits for a submitted job and takes its result; each can be waited for once. When stopped, the
  // job is cancelled.
  //
  // Errors: kAborted if `stop` returned true. Failures of the job are in its result.
  Result<fleet::JobEnded> Wait(JobId id, const Stop& stop);

  // Waits until one of several submitted jobs has ended and takes its result. nullopt: `stop` returned
  // true; the jobs go on. Of no jobs it waits for `stop`.
  std::optional<fleet::JobEnded> WaitForAny(const std::set<JobId>& jobs, const Stop& stop);
  // The same without waiting.
  std::optional<fleet::JobEnded> TakeEnded(const std::set<JobId>& jobs);

  // The result is where it cannot get lost: boards may forget it and the job's failed attempts.
  void Record(const fleet::JobEnded& ended) { Record(ended.result.id, ended.attempt); }
  void Record(JobId job, int attempt);

  // Drops a submitted job that nobody will wait for.
  void Cancel(JobId id);

  std::vector<fleet::BoardReport> Boards();
  // Nothing before its first lease.
  std::optional<BoardInfo> InfoOf(fleet::BoardId board);
  // The board that knew a measurement when it gave its lease.
  std::optional<fleet::BoardId> WhoKnows(const std::string& measure_id);

 private:
  // What the fleet's thread keeps of a board.
  struct Driven {
    FleetBoard board;
    std::unique_ptr<ZmqLink> link;
    bool awaits_place = false;        // the link is to be opened once the locator has answered
    std::optional<BoardPlace> place;  // of a name, as of the latest answer
  };
  // What callers know of one.
  struct Known {
    std::optional<BoardInfo> info;
    std::optional<Status> failure;
  };

  void Run();
  void Step(fleet::Event event);
  void StepPosted(fleet::Event event);
  void StepOwnEvents();
  void RecordFailedAttempts(JobId job);
  void Post(fleet::Event event);
  std::optional<fleet::Event> TakePosted();
  void TakeAnswers();
  void TakeLinkEvents(const std::vector<ZmqLink*>& links);
  void LookAfterHooks();
  std::vector<std::pair<fleet::BoardId, Status>> TakeEndedHooks();
  void FinishHooks();
  void TellReports();
  // The core's time.
  Instant Now() const;
  std::chrono::milliseconds TimeToWait() const;
  // REQUIRES: the mutex is held.
  std::optional<fleet::JobEnded> Take(const std::set<JobId>& jobs);
  void TellNotices(std::unique_lock<std::mutex>& lock);
  bool WaitFor(std::unique_lock<std::mutex>& lock, const std::function<bool()>& done,
               const Stop& stop);

  // One overload an action.
  void Do(fleet::LinkAction& action);
  void Do(fleet::AttemptEnded& action);
  void Do(fleet::JobEnded& action);
  void Do(fleet::BoardChanged& action);
  void Do(fleet::BoardDescribed& action);
  void Do(fleet::MeasurementsKnown& action);
  void Do(fleet::KernelsChosen& action);
  void Do(fleet::CutPower& action);
  void Do(fleet::Notice& action);
  void Do(fleet::BoardGone& action);
  void Do(fleet::FleetClosed&) { is_closed_ = true; }
  void OpenLinkOf(fleet::BoardId id, Driven& driven);
  void Connect(fleet::BoardId id, Driven& driven, const Result<BoardPlace>& place, bool is_final);

  // Of the fleet's thread. The hub outlives the links, and the locator may wake it to the end.
  ZmqHub hub_;
  fleet::FleetCore core_;
  ListeningClock clock_;
  std::map<fleet::BoardId, Driven> driven_;
  std::map<const ZmqLink*, fleet::BoardId> boards_of_links_;
  // Commands that run, whatever becomes of their boards here.
  std::vector<std::pair<fleet::BoardId, std::unique_ptr<PowerHook>>> power_hooks_;
  std::deque<fleet::Event> own_events_;                // that actions cause
  std::map<JobId, std::vector<int>> failed_attempts_;  // of jobs that are not recorded yet
  bool is_closed_ = false;

  const Notice notice_;
  const Notice detail_;

  // Shared.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<fleet::Event> posted_;
  std::map<fleet::BoardId, FleetBoard> added_;  // that the fleet's thread has not taken yet
  NoticeGroups notices_;                        // that nobody was told yet
  std::map<fleet::BoardId, Known> known_;
  std::map<std::string, std::string> kernels_;       // by class
  std::map<std::string, fleet::BoardId> who_knows_;  // by measure id
  std::optional<std::vector<fleet::BoardReport>> reports_;
  bool wants_reports_ = false;
  bool has_ended_ = false;   // all that the fleet's thread has to do
  std::set<JobId> awaited_;  // submitted, and neither taken nor cancelled
  std::map<JobId, fleet::JobEnded> ended_;
  JobId last_job_ = 0;
  fleet::BoardId last_board_ = 0;

  BoardLocator locator_;
  std::thread thread_;
};

}  // namespace bitpilot
