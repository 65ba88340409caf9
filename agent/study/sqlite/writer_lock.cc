#include "agent/study/sqlite/writer_lock.h"

#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "kernels/base/file_io.h"

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

}  // namespace

Result<WriterLock> WriterLock::Acquire(const std::string& path) {
  BITPILOT_RETURN_IF_ERROR(RefuseNetworkFileSystem(path));
  Result<FileLock> lock = FileLock::Acquire(path);
  if (lock.ok()) return WriterLock(std::move(*lock));
  if (lock.status().code() != StatusCode::kUnavailable) return lock.status();
  return Status(lock.status().code(), lock.status().message() + " (reports can be made meanwhile)");
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
