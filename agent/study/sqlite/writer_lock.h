// WriterLock: at most one process writes a study.
//
// A FileLock (kernels/base/file_lock.h) on `<study>.lock`. It and SQLite's write-ahead log both need one
// kernel and its shared memory: network file systems are refused.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "kernels/base/file_lock.h"
#include "kernels/base/status.h"

namespace bitpilot {

class WriterLock {
 public:
  // Takes the lock for the study at `path` and writes this process into the side file.
  //
  // Errors: as FileLock::Acquire(); kUnsupported where the folder is on a network file system: names
  // which.
  static Result<WriterLock> Acquire(const std::string& path);

  // FileLock's.
  bool IsInPlace() const { return lock_.IsInPlace(); }

 private:
  explicit WriterLock(FileLock lock) : lock_(std::move(lock)) {}

  FileLock lock_;
};

// Name of the network file system that statfs(2) calls `magic`, e.g. "NFS"; nullopt for all others.
std::optional<std::string> NetworkFileSystemName(long magic);

// This boot's id, "unknown" where the system does not say.
std::string BootId();

}  // namespace bitpilot
