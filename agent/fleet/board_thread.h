// BoardThread: runs ClientCore over a ZmqLink on a thread of its own, so that a board works while
// its caller trains.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/client_core.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/status.h"

namespace bitpilot {

// All methods may be called from any thread; callers never touch the socket, which stays on the
// board's thread.
class BoardThread {
 public:
  // Where the board is now. Called on the board's thread before each connection; a failure is
  // final.
  using Locate = std::function<Result<BoardAddress>()>;

  // Called by the threads that wait, never by the board's.
  using Notice = std::function<void(const std::string&)>;

  // notice: may be empty; see BoardOptions.
  BoardThread(ClientOptions options, AgentKeys keys, Locate locate, Notice notice);
  // Gives the lease back, if that takes less than half a second, and ends the thread.
  ~BoardThread();
  BoardThread(const BoardThread&) = delete;
  BoardThread& operator=(const BoardThread&) = delete;

  // Waits for the first lease. `stop` (may be empty) is polled ten times a second in all waits.
  //
  // Errors: as ConnectBoard; kAborted if `stop` returned true.
  Result<BoardInfo> WaitUntilReady(const std::function<bool()>& stop);

  // Queues a job; `request.id` is assigned here.
  JobId Submit(JobRequest request);

  // Waits for a submitted job and takes its result; each can be waited for once. When stopped, the
  // job is cancelled.
  //
  // Errors: kAborted if `stop` returned true. Failures of the job are in its result.
  Result<JobResult> Wait(JobId id, const std::function<bool()>& stop);

  // Drops a submitted job that nobody will wait for.
  void Cancel(JobId id);

 private:
  void Run();
  void Step(Event event);
  void Post(Event event);
  std::optional<Event> TakePosted();
  bool WaitFor(std::unique_lock<std::mutex>& lock, const std::function<bool()>& done,
               const std::function<bool()>& stop);

  // One overload an action.
  void Do(const OpenLink&);
  void Do(const CloseLink&) { link_.Close(); }
  void Do(const SendMessage& action) { link_.Send(action.message); }
  void Do(const BoardReady& action);
  void Do(const BoardFailed& action);
  void Do(BoardNotice& action);
  void Do(JobFinished& action);
  void Do(const Closed&) { closed_ = true; }

  // Of the board's thread.
  const AgentKeys keys_;
  const Locate locate_;
  ClientCore core_;
  ZmqLink link_;
  bool closed_ = false;

  const Notice notice_;

  // Shared.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> posted_;
  std::vector<std::string> notices_;  // that nobody was told yet
  std::optional<Result<BoardInfo>> ready_;
  std::set<JobId> awaited_;  // submitted, and neither taken nor cancelled
  std::map<JobId, JobResult> finished_;
  JobId last_id_ = 0;

  std::thread thread_;
};

}  // namespace bitpilot
