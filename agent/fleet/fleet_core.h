// FleetCore: an agent's side of many boards, as a pure state machine.
//
//   Step(event, now) -> actions
//
// One ClientCore a board does the talking; this class decides what each board works on. No sockets,
// clocks, threads or randomness inside, so that a simulator can drive it through any history
// (tests/simulation). Laws:
//
//   Jobs       A job is given to one board at a time and ends once, with one JobEnded. It owns its
//              network files. At most FleetOptions::max_jobs are kept; more end at once with
//              kResourceExhausted.
//   Classes    A job runs on boards of its class alone. Boards of a class are alike but for their
//              names (ClassFingerprintOf(), agent/fleet/board_conditions.h): one that is not is left
//              out of it and named, never mixed in; one that no class has is given back, and looked at
//              again every minute. The class takes after FleetOptions::expected or most of its first
//              boards. A board that comes back different is looked at as a new one, and loses the job of
//              a class that it is unlike now. Of FleetOptions::judged_classes, a board that is alike
//              waits until BoardJudged, and runs only what asks for it alone and not as one of its class;
//              a judgement holds until it comes back different, and one of what it was before is dropped.
//   Kernels    Which kernel runs a layer is the class's: what the first of its boards found by timing goes
//              with every measurement to the others, as long as there are several. Boards that wait to be
//              judged are among them: they are judged by the kernels that they will run.
//   Schedule   A board takes a job as soon as it is idle, by JobQueue's rules; of several idle boards
//              the one that rested longest. So a slow board is given fewer jobs, not none.
//   Leases     Per job or reserved, as ClientOptions says. Nobody keeps a reserved board without work
//              and waits for others: agents that reserve boards of two classes cannot lock each other
//              out (FleetOptions::give_back_after).
//   Attempts   What failed is tried again as agent/fleet/measure_retries.h says. Attempts of a job
//              are numbered; each has the measure id AttemptId() or, repeated on the board that may
//              know it, the id of the one before. An id that was given up on a board is never used
//              there again. A result is acknowledged to its board after AttemptRecorded. A job that an
//              earlier run of the agent asked for goes to the board that knows one of its ids, as long as
//              that works; of several the first attempt's, after whose failure the next one follows.
//   Absence    A board's job waits for it as long as no other board of the class is idle; from
//              move_after on any may take it, which counts as a LOST attempt. All boards away is no
//              failure: jobs wait up to max_wait, with a notice. If none can ever come back, they end
//              at once. Ends of this kind are kUnavailable: they say nothing of the candidate.
//   Bad boards A job at which a board fails again and again by its own fault goes to another board of
//              the class, waits for one as above, and is not given to that one again. It ends with
//              kUnavailable when no other is left.
//   Quarantine Several failures in a row of different networks quarantine a board, as does an output
//              that another board of the class got right. A passed health check releases it.
//   Power      A board that does not answer, or fails its health check, is power-cycled, at most
//              max_power_cycles times until it has been well for a day. One that denies its lease answers;
//              one that said that it is drained is never cycled until it says something else.
//   Order      Everything follows from the events and their times.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board_health.h"
#include "agent/fleet/class_kernels.h"
#include "agent/fleet/client_core.h"
#include "agent/fleet/fleet_events.h"
#include "agent/fleet/job_queue.h"
#include "agent/fleet/measure_retries.h"

namespace bitpilot::fleet {

// A board, for people.
struct BoardReport {
  BoardId id = 0;
  std::string name;
  BoardState state = BoardState::kConnecting;
  std::string why;  // of a state that needs a reason
  // How long it has neither worked nor been given back for want of work; 0 while it does, or is.
  std::chrono::milliseconds away_for{0};
  std::vector<std::string> classes;
  // Classes that it is unlike, or was judged not to belong to: why.
  std::map<std::string, std::string> left_out_of;
  std::vector<std::string> waits_for;  // classes for which it is to be judged
  std::optional<JobId> job;
  int attempts = 0;  // that ended on it
  int failures = 0;  // of them, with neither numbers nor an answer that is the candidate's own
  int power_cycles = 0;
};

class FleetCore {
 public:
  explicit FleetCore(FleetOptions options);
  ~FleetCore();

  // REQUIRES: `now` never goes back.
  std::vector<Action> Step(Event event, Instant now);

  // When TimePassed is due if nothing else happens before.
  std::optional<Instant> NextWakeup() const;

  // now: of the reports; nothing: the last step's.
  std::vector<BoardReport> Boards(std::optional<Instant> now = std::nullopt) const;
  // Jobs that wait, run, or have ended and are not recorded.
  std::size_t num_jobs() const { return jobs_.size(); }
  std::size_t num_waiting() const { return queue_.size(); }

 private:
  struct Board;
  struct Job;
  // Jobs that wait for a lane, and since when no board of it works.
  struct LaneUse {
    int jobs = 0;
    std::optional<Instant> without_since;
    bool is_old = false;             // nothing more is to be told of it
    bool was_told = false;           // people were told; a single board tells itself
    bool is_held_by_others = false;  // boards of it are, and none works here
  };

  // One overload an event.
  void Handle(BoardAdded& event);
  void Handle(BoardRemoved& event);
  void Handle(KernelChoicesKnown& event);
  void Handle(BoardJudged& event);
  void Handle(LinkEvent& event);
  void Handle(PowerCycled& event);
  void Handle(JobAdded& event);
  void Handle(JobDropped& event);
  void Handle(AttemptRecorded& event);
  void Handle(CloseRequested& event);
  void Handle(TimePassed&) {}

  // Jobs (fleet_jobs.cc).
  void OnJobFinished(Board& board, JobResult result);
  void OnMeasured(Board& board, Job& job, JobResult result);
  void EndAttempt(Job& job, const Board& board, MeasureStatus status, const std::string& detail,
                  Attempt again);
  void TakeNewId(Job& job) const;
  // Of what a board of a class ran by.
  void LearnKernels(const Board& board, const std::string& text);
  void LearnKernelsOf(const std::string& class_tag, const std::string& text);
  // Classes whose choices of kernels a board shares: that it serves, or waits to be judged for.
  static std::vector<std::string> KernelClassesOf(const Board& board);
  // What a job runs by on a board: the class's choices; empty: the board's own.
  std::string KernelsFor(const Board& board, const Job& job) const;
  // A job that its board does not go on with, and another one perhaps does. False if none is left: then
  // it has ended.
  bool EndLostAttempt(Job& job, Board& board, const Status& why);
  // The job is not for this board any more, by whose fault it failed.
  void Leave(Job& job, const Board& board, const Status& failure);
  void QuarantineIfDue(Board& board);
  void EndJob(Job& job, JobResult result, const Board* board);
  void EndJobsOf(const Lane& lane, const Status& failure);
  void Wait(Job& job);
  // Which board a job that waits is kept for has changed.
  void KeepForWhoKnows(Job& job);
  // Of a job that this run has given to no board: the attempt that a board knows of an earlier run.
  void TakeKnownAttempt(Job& job) const;
  void KeepForWhoKnowsAll();
  // why: of an attempt that this ends.
  void TakeBack(Board& board, const std::string& why = "the board takes no more work");
  // Those that can do the job instead of `board`; nullptr: all that it does not avoid.
  OtherBoards OthersFor(const Job& job, const Board* board) const;
  void Forget(JobId id);

  // Boards (fleet_boards.cc).
  void StepClient(Board& board, ClientEvent event);
  void On(Board& board, const BoardReady& action);
  void On(Board& board, const BoardAway& action);
  void On(Board& board, const BoardBack& action);
  void On(Board& board, const BoardFailed& action);
  void StartClient(Board& board);
  // Settles which lanes a board that is known serves. It loses a job of one that it serves no more.
  void JoinClasses(Board& board);
  // Settles what boards of a class are like, once enough of them are known, and lets in who waits for that.
  void SettleClass(const std::string& tag);
  // What differs from a class, or how it was judged; empty of one that no class leaves out.
  std::string WhyLeftOut(const Board& board, const std::string& tag) const;
  void Quarantine(Board& board, const std::string& why);
  void StartCheck(Board& board);
  void OnCheckEnded(Board& board, const JobResult& result);
  void CutPowerOf(Board& board, const std::string& why);
  std::pair<BoardState, std::string> StateOf(const Board& board) const;
  std::string Label(const Board& board) const;
  static std::string NameOf(const Board& board);  // in the fleet file

  // Time and order (fleet_schedule.cc).
  void RunTimers();
  void RunTimersOf(Board& board);
  void Schedule();
  void RefreshTouched();
  void Refresh(Board& board);
  void GiveNext(Board& board);
  void Give(Board& board, Job& job);
  std::optional<Instant> WakeupOf(const Board& board) const;
  bool MayCutPower(const Board& board) const;
  Instant PowerCycleAt(const Board& board) const;
  bool CanWork(const Board& board) const;
  // The board may try a job again, as soon as it is there.
  static bool MayGoOn(const Board& board);
  bool IsIdle(const Board& board) const;
  // No class has it.
  bool IsLeftOut(const Board& board) const;
  // When a board that was left out and whose link is closed is looked at again.
  std::optional<Instant> LookAgainAt(const Board& board) const;
  // A job asks for this very board.
  bool IsWanted(const Board& board) const;
  bool Serves(const Board& board, const Lane& lane) const;
  // It serves the lane, or is listed for it and perhaps will.
  bool MayServe(const Board& board, const Lane& lane) const;
  // By its tags, whether it is like the class or not. Every board is listed for "".
  static bool IsListedFor(const Board& board, const std::string& tag);
  // It refused for good.
  bool IsHopeless(const Board& board) const;
  // When a reserved board without work is to be given back; nothing if it may stay.
  std::optional<Instant> GiveBackAt(const Board& board) const;
  bool HasWorkFor(const Board& board) const;
  bool IsLockedOut() const;

  // Jobs for which no board works (fleet_lanes.cc).
  void CheckLanes();
  void CheckLane(const Lane& lane, LaneUse& use);
  void CheckChoosyJobs();
  // Of each that is listed for it "'NAME' is STATE (why)"; never empty.
  std::vector<std::string> DescribeBoardsOf(const Lane& lane) const;

  void Touch(const Board& board);
  Board* Find(BoardId id);

  const FleetOptions options_;
  Instant now_{0};
  std::vector<Action> actions_;  // of the step under way
  bool is_closing_ = false;
  bool is_closed_ = false;

  std::map<BoardId, std::unique_ptr<Board>> boards_;
  std::map<std::string, BoardInfo> class_infos_;
  std::map<std::string, Instant> gathering_since_;  // of classes that are not settled
  std::map<std::string, ClassKernels> class_kernels_;
  std::set<BoardId> touched_;
  std::set<std::pair<std::uint64_t, BoardId>> idle_;  // by last use
  std::set<std::pair<Instant, BoardId>> wakeups_;
  std::uint64_t uses_ = 0;
  JobId last_check_ = 0;

  std::map<JobId, std::unique_ptr<Job>> jobs_;
  JobQueue queue_;
  std::uint64_t places_ = 0;
  bool has_new_work_ = false;
  std::map<Lane, LaneUse> lanes_;
  bool lanes_changed_ = false;
  std::set<JobId> choosy_jobs_;              // that avoid a board
  std::map<std::string, BoardId> known_at_;  // measure ids that boards know, as of their leases
};

}  // namespace bitpilot::fleet
