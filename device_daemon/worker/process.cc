#include "device_daemon/worker/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "device_daemon/worker/sanitized.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kMaxLogBytes = std::uint64_t{16} << 20;

Status Limit(__rlimit_resource resource, const char* name, std::uint64_t value) {
  const rlimit limit{value, value};
  if (setrlimit(resource, &limit) == 0) return {};
  return {StatusCode::kInternal, std::string("cannot limit ") + name + ": " + std::strerror(errno)};
}

}  // namespace

void DieWithParent(pid_t parent, int signal) {
  prctl(PR_SET_PDEATHSIG, signal);
  if (getppid() != parent) raise(signal);
}

void IgnoreBrokenPipes() { std::signal(SIGPIPE, SIG_IGN); }

Status ConfineWorker(std::uint64_t memory_bytes) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return {StatusCode::kInternal, std::string("cannot set no_new_privs: ") + std::strerror(errno)};
  }
  BITPILOT_RETURN_IF_ERROR(Limit(RLIMIT_CORE, "core dumps", 0));
  // Standard error may be a log file; a write beyond the limit is to fail, not to kill.
  std::signal(SIGXFSZ, SIG_IGN);
  BITPILOT_RETURN_IF_ERROR(Limit(RLIMIT_FSIZE, "written files", kMaxLogBytes));
  if (kSanitized) return {};
  return Limit(RLIMIT_AS, "memory", memory_bytes);
}

std::string OwnProgramPath() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

}  // namespace bitpilot
