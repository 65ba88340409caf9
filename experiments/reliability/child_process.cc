#include "experiments/reliability/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {

Status ChildProcess::Start(std::vector<std::string> arguments, const std::string& standard_output,
                           const std::string& standard_error) {
  BITPILOT_CHECK(pid_ == 0);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, standard_output.c_str(), kFlags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, standard_error.c_str(), kFlags, 0600);
  const int error = posix_spawn(&pid_, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return {};
  pid_ = 0;
  return Status(StatusCode::kUnavailable,
                arguments[0] + " cannot be started: " + std::strerror(error));
}

void ChildProcess::Kill() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(std::exchange(pid_, 0), nullptr, 0);
}

bool ChildProcess::IsRunning() {
  if (pid_ != 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = 0;
  return pid_ != 0;
}

pid_t ChildProcess::ChildWith(const std::string& argument) const {
  const std::string task = std::to_string(pid_);
  std::ifstream children("/proc/" + task + "/task/" + task + "/children");
  const std::string word = '\0' + argument + '\0';
  for (pid_t child = 0; children >> child;) {
    std::ifstream file("/proc/" + std::to_string(child) + "/cmdline", std::ios::binary);
    const std::string command((std::istreambuf_iterator<char>(file)), {});
    if (command.find(word) != std::string::npos) return child;
  }
  return 0;
}

}  // namespace bitpilot
