// A real bitpilotd process with throw-away keys on a free loopback port.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "device_daemon/server/keys.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {

// How a bitpilotd that was expected to end ended.
struct ProgramEnd {
  int exit_code = -1;
  std::string standard_output;
  std::string standard_error;
};

// Waits until a process that need not be our child has ended; false after some seconds.
bool WaitUntilGone(pid_t pid);

// Runs bitpilotd with `arguments` until it ends.
ProgramEnd RunBitpilotd(const std::vector<std::string>& arguments);

class DaemonProcess {
 public:
  // Starts `serve --listen LISTEN --json` with a fresh key folder that lists `agent_keys()`, and
  // waits for its ready line. more_agents: lines that are listed, too.
  explicit DaemonProcess(const std::vector<std::string>& more_arguments = {},
                         const std::string& listen = "tcp://127.0.0.1:0",
                         const std::string& more_agents = "");
  // Ends it with SIGTERM.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  const std::string& endpoint() const { return endpoint_; }
  const std::string& public_key() const { return public_key_; }
  const CurveKeys& agent_keys() const { return agent_keys_; }
  std::string keys_folder() const { return folder_ / "keys"; }
  pid_t pid() const { return pid_; }
  // What it wrote to standard error so far.
  std::string Log() const;
  // Waits until the log contains `text`; false after some seconds.
  bool WaitForLog(const std::string& text) const;
  // Process id of its worker; 0 if there is none.
  pid_t WorkerPid() const;
  // Ends it with a signal and returns its exit code, or minus the signal that ended it.
  int Stop(int signal);
  // Waits until `path`, of its store folder, is there; false after some seconds.
  bool WaitForFileInStore(const std::string& path) const;
  // Starts it again with the same keys and store, on a new port or the one that it had.
  void Restart(bool same_port = false);

 private:
  void Start();

  TemporaryFolder folder_;
  std::vector<std::string> arguments_;
  CurveKeys agent_keys_ = MakeCurveKeys();
  pid_t pid_ = 0;
  std::string endpoint_;
  std::string public_key_;
};

}  // namespace bitpilot
