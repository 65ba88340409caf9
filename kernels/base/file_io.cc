#include "kernels/base/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bitpilot {
namespace {

Status ErrnoStatus(const std::string& path, std::string_view action, int error) {
  StatusCode code = StatusCode::kInvalidArgument;
  if (error == ENOENT || error == ENOTDIR) code = StatusCode::kNotFound;
  if (error == EACCES || error == EPERM || error == EROFS) code = StatusCode::kPermissionDenied;
  if (error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE) {
    code = StatusCode::kResourceExhausted;
  }
  return Status(code, path + ": cannot " + std::string(action) + ": " + std::strerror(error));
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Writes everything; 0 or the error number.
int WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

// A device, a pipe or the like is written to; a file beside it would take its place.
Status WriteInPlace(const std::string& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(path, "write", errno);
  const int error = WriteAll(file.get(), bytes);
  return error == 0 ? Status() : ErrnoStatus(path, "write", error);
}

// Unique among the processes and threads that write `path` at the same time.
std::string TemporaryName(const std::string& path) {
  static std::atomic<unsigned> counter = 0;
  return path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  std::string bytes;
  const Status status = ReadFileInPieces(path, [&bytes](std::string_view piece) {
    bytes.append(piece);
    return Status();
  });
  if (!status.ok()) return status;
  return bytes;
}

Status ReadFileInPieces(const std::string& path,
                        const std::function<Status(std::string_view)>& take) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(path, "open", errno);
  std::array<char, 65'536> block;
  for (;;) {
    const ssize_t count = ::read(file.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(path, "read", errno);
    if (count == 0) return Status();
    BITPILOT_RETURN_IF_ERROR(take(std::string_view(block.data(), static_cast<std::size_t>(count))));
  }
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes) {
  struct stat existing {};
  if (::stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return WriteInPlace(path, bytes);
  }
  std::string temporary;
  int fd = -1;
  do {
    // What a power cut left keeps its name, which a process may have again after the next start.
    temporary = TemporaryName(path);
    fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EEXIST);
  const Descriptor file(fd);
  if (fd < 0) return ErrnoStatus(path, "write beside it", errno);
  int error = WriteAll(file.get(), bytes);
  if (error == 0 && ::fsync(file.get()) != 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return Status();
  std::remove(temporary.c_str());
  return ErrnoStatus(path, "write", error);
}

Status FlushStandardOutput() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return Status();
  // An earlier flush may have met the error, and taken its number with it.
  return Status(StatusCode::kResourceExhausted,
                "standard output: cannot write all of it" +
                    (errno == 0 ? std::string() : std::string(": ") + std::strerror(errno)));
}

}  // namespace bitpilot
