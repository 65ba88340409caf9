#include "tests/agent/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "kernels/base/check.h"

extern char** environ;

namespace bitpilot {
namespace {

// An unlinked temporary file that collects one stream.
class OutputFile {
 public:
  OutputFile() : file_(std::tmpfile()) { BITPILOT_CHECK(file_ != nullptr); }
  ~OutputFile() { std::fclose(file_); }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  int descriptor() const { return fileno(file_); }
  std::string Read() const {
    std::string text;
    char buffer[4096];
    off_t offset = 0;
    for (ssize_t n; (n = pread(descriptor(), buffer, sizeof(buffer), offset)) > 0; offset += n) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }

 private:
  std::FILE* file_;
};

}  // namespace

std::string ProgramPath(const std::string& name) {
  return std::string(BITPILOT_BINARY_DIR) +
         (name == "bitpilotd" ? "/device_daemon/" : "/agent/cli/") + name;
}

ProgramResult RunProgram(const std::vector<std::string>& arguments) {
  return RunProgramUntil(arguments, SIGKILL, [] { return false; });
}

ProgramResult RunProgramUntil(const std::vector<std::string>& arguments, int signal,
                              const std::function<bool()>& signal_now) {
  OutputFile out;
  OutputFile err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.descriptor(), STDERR_FILENO);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  BITPILOT_CHECK(error == 0);

  int status = 0;
  bool signalled = false;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (!signalled && signal_now()) {
      kill(pid, signal);
      signalled = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ProgramResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = out.Read();
  result.err = err.Read();
  return result;
}

std::vector<std::string> LinesOfType(const std::string& out, const std::string& type) {
  std::vector<std::string> lines;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) {
    const nlohmann::json object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (object.is_object() && object.value("type", "") == type) lines.push_back(line);
  }
  return lines;
}

}  // namespace bitpilot
