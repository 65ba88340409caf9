#include "kernels/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "kernels/base/file_io.h"
#include "kernels/base/host_name.h"

namespace bitpilot {
namespace {

// True if `path` still names the file behind `descriptor`: its last holder may have removed it
// meanwhile.
bool StillNames(const std::string& path, int descriptor) {
  struct stat by_path {};
  struct stat by_descriptor {};
  return stat(path.c_str(), &by_path) == 0 && fstat(descriptor, &by_descriptor) == 0 &&
         by_path.st_ino == by_descriptor.st_ino && by_path.st_dev == by_descriptor.st_dev;
}

std::string ReadHolder(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "another process";
}

Status WriteHolder(int descriptor, const std::string& lock_path) {
  const std::string holder = "process " + std::to_string(getpid()) + " on " + HostName();
  const int error = ftruncate(descriptor, 0) != 0 ? errno : WriteAll(descriptor, holder);
  return error == 0 ? Status() : FileError(lock_path, "write", error);
}

}  // namespace

FileLock::FileLock(int descriptor, std::string lock_path)
    : descriptor_(descriptor), lock_path_(std::move(lock_path)) {}

Result<FileLock> FileLock::Acquire(const std::string& path) {
  const std::string lock_path = path + ".lock";
  while (true) {
    const int descriptor = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) return FileError(lock_path, "write", errno);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      if (error != EWOULDBLOCK) {
        close(descriptor);
        if (error == EINTR) continue;
        return FileError(lock_path, "lock", error);  // a file system without locks
      }
      const std::string holder = ReadHolder(descriptor);
      close(descriptor);
      return Status(StatusCode::kUnavailable,
                    path + ": is being written by " + holder + "; wait for it or stop it");
    }
    if (!StillNames(lock_path, descriptor)) {
      close(descriptor);
      continue;
    }
    FileLock lock(descriptor, lock_path);
    BITPILOT_RETURN_IF_ERROR(WriteHolder(descriptor, lock_path));
    return lock;
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), lock_path_(std::move(other.lock_path_)) {}

bool FileLock::IsInPlace() const { return StillNames(lock_path_, descriptor_); }

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  if (IsInPlace())
    unlink(lock_path_.c_str());  // Before the lock is freed: nobody else can hold it yet.
  close(descriptor_);
}

}  // namespace bitpilot
