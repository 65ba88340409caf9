#include "agent/study/sqlite/writer_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "kernels/base/file_io.h"
#include "kernels/base/host_name.h"

namespace bitpilot {
namespace {

Status RefuseNetworkFileSystem(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  struct statfs info {};
  if (statfs(folder.c_str(), &info) != 0) return FileError(folder, "look at this folder", errno);
  const std::optional<std::string> name = NetworkFileSystemName(info.f_type);
  if (!name) return Status();
  return Unsupported(path + ": the folder is on " + *name +
                     ", where SQLite's write-ahead log is not safe; put the study on a local disk");
}

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

Result<WriterLock> WriterLock::Acquire(const std::string& path) {
  BITPILOT_RETURN_IF_ERROR(RefuseNetworkFileSystem(path));
  const std::string lock_path = path + ".lock";
  while (true) {
    const int descriptor = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) return FileError(lock_path, "write", errno);
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const std::string holder = ReadHolder(descriptor);
      close(descriptor);
      return Status(StatusCode::kUnavailable,
                    path + ": is being written by " + holder +
                        "; wait for it or stop it (reports can be made meanwhile)");
    }
    if (!StillNames(lock_path, descriptor)) {
      close(descriptor);
      continue;
    }
    WriterLock lock(descriptor, lock_path);
    BITPILOT_RETURN_IF_ERROR(WriteHolder(descriptor, lock_path));
    return lock;
  }
}

WriterLock::WriterLock(WriterLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), lock_path_(std::move(other.lock_path_)) {}

bool WriterLock::IsInPlace() const { return StillNames(lock_path_, descriptor_); }

WriterLock::~WriterLock() {
  if (descriptor_ < 0) return;
  if (IsInPlace())
    unlink(lock_path_.c_str());  // Before the lock is freed: nobody else can hold it yet.
  close(descriptor_);
}

std::optional<std::string> NetworkFileSystemName(long magic) {
  // statfs(2), "f_type"; f_type is signed on some systems, so compare 32 bits.
  constexpr std::array<std::pair<std::uint32_t, const char*>, 9> kNetwork = {
      {{0x6969, "NFS"},
       {0x517B, "SMB"},
       {0xFF534D42, "CIFS"},
       {0xFE534D42, "SMB2"},
       {0x01021997, "9P"},
       {0x5346414F, "AFS"},
       {0x00C36400, "Ceph"},
       {0x0BD00BD0, "Lustre"},
       {0x73757245, "Coda"}}};
  for (const auto& [known, name] : kNetwork) {
    if (static_cast<std::uint32_t>(magic) == known) return name;
  }
  return std::nullopt;
}

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  return std::getline(file, id) ? id : "unknown";
}

}  // namespace bitpilot
