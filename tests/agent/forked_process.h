// A child process that a test stops and kills.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <optional>

#include "kernels/base/check.h"

namespace bitpilot {

class ForkedProcess {
 public:
  // Tells the parent a number. In the child only.
  using Report = std::function<void(std::int32_t)>;

  // `run` is the child's life, which ends with it at the latest.
  explicit ForkedProcess(const std::function<void(const Report&)>& run) {
    int ends[2];
    BITPILOT_CHECK(pipe(ends) == 0);
    child_ = fork();
    BITPILOT_CHECK(child_ >= 0);
    if (child_ == 0) {
      close(ends[0]);
      run([&](std::int32_t number) {
        if (write(ends[1], &number, sizeof(number)) != sizeof(number)) _exit(4);
      });
      _exit(0);
    }
    close(ends[1]);
    read_end_ = ends[0];
  }
  ~ForkedProcess() {
    Kill();
    close(read_end_);
  }
  ForkedProcess(const ForkedProcess&) = delete;
  ForkedProcess& operator=(const ForkedProcess&) = delete;

  // The child's next number, nullopt when it has ended. Waits for it.
  std::optional<std::int32_t> Read() {
    std::int32_t number = 0;
    if (read(read_end_, &number, sizeof(number)) != sizeof(number)) return std::nullopt;
    return number;
  }

  void Stop() const {
    kill(child_, SIGSTOP);
    int status = 0;
    waitpid(child_, &status, WUNTRACED);
  }

  // kill -9. What it reported before can still be read. Returns false if it had ended by itself.
  bool Kill() {
    if (child_ == 0) return false;
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    return WIFSIGNALED(status);
  }

 private:
  pid_t child_ = 0;
  int read_end_ = -1;
};

}  // namespace bitpilot
