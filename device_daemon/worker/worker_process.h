// The daemon's end of the measuring worker: starts it, sends it one job at a time, ends it, and
// tells what became of it. The worker is started when a job needs one and kept for the next.
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <utility>  // Boost 1.74's Asio uses std::exchange without including it.
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "device_daemon/core/daemon_events.h"
#include "device_daemon/worker/worker_channel.h"

namespace bitpilot {

struct WorkerCommand {
  std::string program;                 // Path of bitpilotd.
  std::vector<std::string> arguments;  // What follows the program's name.
};

// What outlives a worker.
struct WorkerMemory {
  // Sent to every new worker ahead of its first job.
  std::function<v1::BoardBaseline()> recall;
  // Hears what a worker saw of the board; nobody checked it.
  std::function<void(const v1::BoardBaseline&)> learn;
};

// Not thread-safe: use it where the io_context runs, and at most one at a time in a process (it
// waits for SIGCHLD).
class WorkerProcess {
 public:
  // Receives WorkerProgressed, WorkerAnswered and WorkerFailed.
  using Handler = std::function<void(const daemon::Event&)>;

  WorkerProcess(boost::asio::io_context& io, WorkerCommand command, WorkerMemory memory,
                Handler handler);
  // Kills the worker.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // REQUIRES: the last job was answered or has failed.
  void Start(daemon::JobId job, const Message& request);

  // Ends the worker: SIGTERM, and SIGKILL after a second. The job fails; an answer under way is
  // dropped.
  void Stop(daemon::JobId job);

  // The worker's process id, or 0 while there is none.
  pid_t pid() const { return pid_; }

 private:
  Status Spawn();
  void Write(std::string bytes);
  void Read();
  void OnBytes(std::size_t size);
  void OnChildExit();
  void KillGroup(int signal);
  void Fail(v1::MeasureStatus status, std::string detail);

  boost::asio::io_context& io_;
  WorkerCommand command_;
  WorkerMemory memory_;
  Handler handler_;
  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::signal_set child_signals_;
  boost::asio::steady_timer kill_timer_;
  ChannelDecoder decoder_;
  std::array<char, std::size_t{64} << 10> buffer_;
  pid_t pid_ = 0;
  std::optional<daemon::JobId> job_;
  bool stopping_ = false;
  std::optional<Status> garbage_;  // Why the worker was killed for what it sent.
};

}  // namespace bitpilot
