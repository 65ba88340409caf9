#include "kernels/base/guarded_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "kernels/base/file_descriptor.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

Status CannotOpen(const std::string& path, int error) {
  if (error == ELOOP) {
    return InvalidArgument(path + ": is a symbolic link; expected the file itself");
  }
  return FileError(path, "open", error);
}

Status CheckOwnerAndMode(const std::string& path, const struct stat& info, GuardedContent content) {
  if (!S_ISREG(info.st_mode)) return InvalidArgument(path + ": is not a regular file");
  if (info.st_uid != geteuid() && info.st_uid != 0) {
    return {StatusCode::kPermissionDenied,
            path + ": belongs to user " + std::to_string(info.st_uid) + "; expected user " +
                std::to_string(geteuid()) + ", who runs this program, or root: run `chown " +
                std::to_string(geteuid()) + " " + path + "`"};
  }
  if (content == GuardedContent::kSecret && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return {
        StatusCode::kPermissionDenied,
        path + ": others than its owner may read this secret key; run `chmod 600 " + path + "`"};
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return {StatusCode::kPermissionDenied, path +
                                               ": others than its owner may write it; run "
                                               "`chmod go-w " +
                                               path + "`"};
  }
  return {};
}

Result<std::string> ReadAll(int descriptor, const std::string& path) {
  std::string text;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t count = read(descriptor, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FileError(path, "read", errno);
    if (count == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(count));
    if (text.size() > kMaxBytes) {
      return InvalidArgument(path + ": has more than " + std::to_string(kMaxBytes) +
                             " bytes; expected keys of 40 characters");
    }
  }
}

}  // namespace

Result<std::string> ReadGuardedFile(const std::string& path, GuardedContent content) {
  // A pipe in the file's place would block without O_NONBLOCK.
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0) return CannotOpen(path, errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return CannotOpen(path, errno);
  BITPILOT_RETURN_IF_ERROR(CheckOwnerAndMode(path, info, content));
  return ReadAll(file.get(), path);
}

}  // namespace bitpilot
