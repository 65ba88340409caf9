// WriterLock: at most one process writes a study.
//
// An advisory lock (flock) on a side file, `<study>.lock`. The kernel frees it when the holder
// ends, also by kill -9, so that a left-over file never blocks. flock and SQLite's write-ahead log
// both need one kernel and its shared memory: network file systems are refused.
#pragma once

#include <optional>
#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

class WriterLock {
 public:
  // Takes the lock for the study at `path` and writes this process into the side file.
  //
  // Errors:
  //   kUnavailable       another process, or another Study of this one, holds it; the message names
  //                      the holder.
  //   kUnsupported       the folder is on a network file system; names which.
  //   kNotFound          the folder is missing.
  //   kPermissionDenied  it is not writable.
  //   kResourceExhausted  the disk is full or fails, or a limit on files is met.
  static Result<WriterLock> Acquire(const std::string& path);

  // False if the side file was removed, so that another process can make it anew and lock that.
  bool IsInPlace() const;

  // Frees the lock and removes the side file, if it is still this one's.
  ~WriterLock();
  WriterLock(WriterLock&& other) noexcept;
  WriterLock& operator=(WriterLock&&) = delete;

 private:
  WriterLock(int descriptor, std::string lock_path)
      : descriptor_(descriptor), lock_path_(std::move(lock_path)) {}

  int descriptor_;  // -1 when moved away
  std::string lock_path_;
};

// Name of the network file system that statfs(2) calls `magic`, e.g. "NFS"; nullopt for all others.
std::optional<std::string> NetworkFileSystemName(long magic);

// This boot's id, "unknown" where the system does not say.
std::string BootId();

}  // namespace bitpilot
