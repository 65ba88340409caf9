#include "kernels/base/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "kernels/base/atomic_file.h"
#include "kernels/base/file_descriptor.h"

namespace bitpilot {
namespace {

// A device, a pipe or the like is written to; a file beside it would take its place.
Status WriteInPlace(const std::string& path, std::string_view bytes) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError(path, "write", errno);
  const int error = WriteAll(file.get(), bytes);
  return error == 0 ? Status() : FileError(path, "write", error);
}

}  // namespace

Status FileError(const std::string& path, std::string_view action, int error) {
  StatusCode code = StatusCode::kInvalidArgument;
  if (error == ENOENT || error == ENOTDIR) code = StatusCode::kNotFound;
  if (error == EACCES || error == EPERM || error == EROFS) code = StatusCode::kPermissionDenied;
  if (IsOutOfSpace(error) || error == EIO || error == EMFILE || error == ENFILE) {
    code = StatusCode::kResourceExhausted;
  }
  return Status(code, path + ": cannot " + std::string(action) + ": " + std::strerror(error) +
                          (IsOutOfSpace(error) ? " (free some disk space)" : ""));
}

bool IsOutOfSpace(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

int WriteAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

Result<std::string> ReadFile(const std::string& path) {
  std::string bytes;
  const Status status = ReadFileInPieces(path, [&bytes](std::string_view piece) {
    bytes.append(piece);
    return Status();
  });
  if (!status.ok()) return status;
  return bytes;
}

Status CheckIsThere(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return Status();
  // Which says why.
  return ReadFile(path).status().AsCorruptInput();
}

bool IsReadOnce(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

Status CheckCanBeReadAgain(const std::string& path) {
  BITPILOT_RETURN_IF_ERROR(CheckIsThere(path));
  if (!IsReadOnce(path)) return Status();
  return Unsupported(
      path +
      ": expected a file, which is read several times, got a pipe or the like, which "
      "can be read only once: write it to a file first");
}

Status ReadFileInPieces(const std::string& path,
                        const std::function<Status(std::string_view)>& take) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return FileError(path, "open", errno);
  std::array<char, 65'536> block;
  for (;;) {
    const ssize_t count = ::read(file.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(path, "read", errno);
    if (count == 0) return Status();
    BITPILOT_RETURN_IF_ERROR(take(std::string_view(block.data(), static_cast<std::size_t>(count))));
  }
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode) {
  struct stat existing {};
  if (::stat(path.c_str(), &existing) == 0 && !S_ISREG(existing.st_mode)) {
    return WriteInPlace(path, bytes);
  }
  // A link stays a link: what it names is replaced. /dev/stdout is one, too.
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path target = fs::is_symlink(path, error) ? fs::canonical(path, error) : fs::path();
  Result<StagedFile> staged =
      StagedFile::Write(target.empty() ? path : target.string(), bytes, mode);
  if (!staged.ok()) return staged.status();
  return staged->Commit();
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
