#include "agent/fleet/power_hook.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <utility>
#include <vector>

#include "agent/fleet/steady_now.h"
#include "kernels/base/quoted.h"

namespace bitpilot {

PowerHook::PowerHook(const std::string& command, std::string board_name, Instant now)
    : command_(command), board_name_(std::move(board_name)), started_(now) {
  std::string shell = "/bin/sh";
  std::string flag = "-c";
  std::string text = command;
  char* arguments[] = {shell.data(), flag.data(), text.data(), nullptr};
  std::string board = "BITPILOT_BOARD=" + board_name_;
  std::vector<char*> environment;
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  environment.push_back(board.data());
  environment.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  const int error =
      posix_spawn(&pid_, shell.c_str(), nullptr, &attributes, arguments, environment.data());
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return;
  pid_ = -1;
  start_failure_ = {StatusCode::kInternal,
                    "cannot run " + Quoted(command) + ": " + std::strerror(error)};
}

PowerHook::~PowerHook() {
  while (pid_ >= 0 && !Ended(SteadyNow())) poll(nullptr, 0, static_cast<int>(kPoll.count()));
}

void PowerHook::Kill() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::optional<Status> PowerHook::Ended(Instant now) {
  if (pid_ < 0) return start_failure_;
  int ending = 0;
  if (waitpid(pid_, &ending, WNOHANG) == pid_) {
    pid_ = -1;
    if (WIFEXITED(ending) && WEXITSTATUS(ending) == 0) return Status();
    const std::string how = WIFEXITED(ending) ? "exit code " + std::to_string(WEXITSTATUS(ending))
                                              : "signal " + std::to_string(WTERMSIG(ending));
    return Status(StatusCode::kInternal, Quoted(command_) + " ended with " + how);
  }
  if (now < started_ + kLimit) return std::nullopt;
  Kill();
  return Status(StatusCode::kTimeout, Quoted(command_) + " took longer than " +
                                          std::to_string(kLimit.count() / 1000) +
                                          " s and was killed");
}

}  // namespace bitpilot
