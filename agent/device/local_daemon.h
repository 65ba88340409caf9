// LocalDaemon: a bitpilotd of our own, on loopback, with throw-away keys.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct LocalDaemonOptions {
  std::string program;     // path of bitpilotd
  std::string isa;         // --isa; empty: the best of this machine
  std::string cpu;         // --cpu; empty: the daemon chooses
  std::string cost_table;  // text of a cost table that answers; empty: the kernels do
  std::string meter;       // --meter; empty: what the machine itself has
  bool fast = false;       // --fast: the cost table answers at once
};

// Everything it writes (keys, uploaded networks, log) is in a private temporary folder that goes
// with it; which kernels won is kept (kernel_choices_cache.h). The daemon is ended with this
// object, and by the kernel if this program dies. It is in a process group of its own, so that
// Ctrl-C in a terminal reaches the agent alone, which still needs its board.
//
// Not thread-safe.
class LocalDaemon {
 public:
  // Makes folder and keys; nothing runs yet. Folders that killed programs left behind are removed.
  //
  // Errors: kPermissionDenied if the temporary folder cannot be written.
  static Result<std::unique_ptr<LocalDaemon>> Create(const LocalDaemonOptions& options,
                                                     const std::string& agent_public_key);
  ~LocalDaemon();
  LocalDaemon(const LocalDaemon&) = delete;
  LocalDaemon& operator=(const LocalDaemon&) = delete;

  // Where it listens. Starts it if it does not run; a daemon that died is started again once.
  //
  // Must be called on a thread that lives as long as the daemon shall: the kernel ends the daemon
  // with the thread that started it.
  //
  // Errors:
  //   kUnavailable  it does not start, or died again; the message has the end of its log.
  Result<BoardAddress> Address();

  // Of the running process; -1 if none was started.
  pid_t pid() const { return pid_; }
  const std::string& directory() const { return directory_; }

 private:
  LocalDaemon(LocalDaemonOptions options, std::string directory)
      : options_(std::move(options)), directory_(std::move(directory)) {}

  Status WriteFiles(const std::string& agent_public_key);
  Status Spawn();
  Result<BoardAddress> WaitUntilReady();
  // True if the process has ended; `ending_` then says how.
  bool HasEnded();
  void Terminate();
  Status EndedStatus(const std::string& what) const;
  std::string LogPath() const { return directory_ + "/bitpilotd.log"; }
  std::string ReadyPath() const { return directory_ + "/ready.json"; }
  std::string StorePath() const { return directory_ + "/store"; }
  std::string CostTablePath() const { return directory_ + "/board.cost"; }

  const LocalDaemonOptions options_;
  const std::string directory_;
  pid_t pid_ = -1;  // -1: does not run
  BoardAddress address_;
  int num_starts_ = 0;
  std::string ending_;  // "exit code 1", "signal 9"
};

// The bitpilotd that belongs to this program: beside it, where the build puts it, or in PATH.
//
// Errors: kNotFound lists where it was looked for.
Result<std::string> FindDaemonProgram();

}  // namespace bitpilot
