#include "agent/fleet/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace bitpilot {
namespace {

Status CannotWrite(const std::string& path) {
  return {StatusCode::kPermissionDenied, path + ": cannot write: " + std::strerror(errno)};
}

}  // namespace

Status WriteFileWithMode(const std::string& path, const std::string& text, mode_t mode) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return CannotWrite(path);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return CannotWrite(path);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const Status status = written ? Status() : CannotWrite(path);
  return close(fd) == 0 || !status.ok() ? status : CannotWrite(path);
}

}  // namespace bitpilot
