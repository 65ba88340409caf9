// A disk on which files cannot grow: the kernel refuses every write beyond a size (RLIMIT_FSIZE),
// in this process and in those that it starts.
#pragma once

#include <sys/resource.h>

#include <csignal>

#include "kernels/base/check.h"

namespace bitpilot {

class FullDisk {
 public:
  // largest_bytes: what a file may hold.
  explicit FullDisk(rlim_t largest_bytes = 0) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    BITPILOT_CHECK(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit full{largest_bytes, before_.rlim_max};
    BITPILOT_CHECK(setrlimit(RLIMIT_FSIZE, &full) == 0);
  }
  ~FullDisk() {
    BITPILOT_CHECK(setrlimit(RLIMIT_FSIZE, &before_) == 0);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

}  // namespace bitpilot
