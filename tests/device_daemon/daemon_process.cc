#include "tests/device_daemon/daemon_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

pid_t Spawn(std::vector<std::string> arguments, const std::string& standard_output,
            const std::string& standard_error) {
  arguments.insert(arguments.begin(), BITPILOTD_PATH);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, 1, standard_output.c_str(), kFlags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, standard_error.c_str(), kFlags, 0600);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, BITPILOTD_PATH, &actions, nullptr, pointers.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// Polls `done` for at most 30 seconds.
template <typename Done>
bool WaitUntil(Done done) {
  for (int i = 0; i < 6'000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return false;
}

}  // namespace

bool WaitUntilGone(pid_t pid) {
  return WaitUntil([&] {
    // An orphan that nobody has reaped yet is a zombie: state Z, the third field.
    std::istringstream stat(ReadAll("/proc/" + std::to_string(pid) + "/stat"));
    std::string number;
    std::string name;
    std::string state;
    return !(stat >> number >> name >> state) || state == "Z";
  });
}

ProgramEnd RunBitpilotd(const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  ProgramEnd end;
  end.exit_code = WaitFor(Spawn(arguments, folder / "out", folder / "err"));
  end.standard_output = ReadAll(folder / "out");
  end.standard_error = ReadAll(folder / "err");
  return end;
}

DaemonProcess::DaemonProcess(const std::vector<std::string>& more_arguments,
                             const std::string& listen, const std::string& more_agents) {
  EXPECT_TRUE(GenerateDaemonKeys(keys_folder(), false).ok());
  std::ofstream(AuthorizedAgentsPath(keys_folder())) << "test " << agent_keys_.public_key << "\n"
                                                     << more_agents;
  arguments_ = {"serve", "--listen", listen, "--keys", keys_folder(), "--json"};
  arguments_.insert(arguments_.end(), more_arguments.begin(), more_arguments.end());
  Start();
}

DaemonProcess::~DaemonProcess() { Stop(SIGTERM); }

void DaemonProcess::Start() {
  pid_ = Spawn(arguments_, folder_ / "out", folder_ / "err");
  const bool ready = WaitUntil([&] {
    return ReadAll(folder_ / "out").ends_with("\n") || waitpid(pid_, nullptr, WNOHANG) == pid_;
  });
  const nlohmann::json line = nlohmann::json::parse(ReadAll(folder_ / "out"), nullptr, false);
  ASSERT_TRUE(ready && line.is_object()) << Log();
  EXPECT_EQ(line["type"], "ready");
  EXPECT_EQ(line["pid"], pid_);
  endpoint_ = line["endpoint"];
  public_key_ = line["public_key"];
}

void DaemonProcess::Restart(bool same_port) {
  Stop(SIGTERM);
  if (same_port) *(std::find(arguments_.begin(), arguments_.end(), "--listen") + 1) = endpoint_;
  Start();
}

int DaemonProcess::Stop(int signal) {
  if (pid_ == 0) return 0;
  kill(pid_, signal);
  return WaitFor(std::exchange(pid_, 0));
}

std::string DaemonProcess::Log() const { return ReadAll(folder_ / "err"); }

bool DaemonProcess::WaitForLog(const std::string& text) const {
  return WaitUntil([&] { return Log().find(text) != std::string::npos; });
}

bool DaemonProcess::WaitForFileInStore(const std::string& path) const {
  return WaitUntil([&] { return std::filesystem::exists(keys_folder() + "/store/" + path); });
}

pid_t DaemonProcess::WorkerPid() const {
  const std::string task = std::to_string(pid_);
  std::istringstream children(ReadAll("/proc/" + task + "/task/" + task + "/children"));
  // Between its creation and the start of its program it is still a part of the daemon, which waits
  // for it. A meter program is a child, too.
  for (pid_t child = 0; children >> child;) {
    const std::string command = ReadAll("/proc/" + std::to_string(child) + "/cmdline");
    if (command.find(std::string("\0worker\0", 8)) != std::string::npos) return child;
  }
  return 0;
}

}  // namespace bitpilot
