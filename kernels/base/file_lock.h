// FileLock: at most one process writes a file.
//
// An advisory lock (flock) on a side file, `<path>.lock`. The kernel frees it when the holder ends,
// also by kill -9, so that a left-over file never blocks.
#pragma once

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

class FileLock {
 public:
  // Takes the lock for the file at `path`, which need not be there, and writes this process into the
  // side file.
  //
  // Errors:
  //   kUnavailable        another process, or another FileLock of this one, holds it; the message
  //                       names the holder.
  //   kNotFound           the folder is missing.
  //   kPermissionDenied   it is not writable.
  //   kResourceExhausted  the disk is full or fails, or a limit on files is met.
  static Result<FileLock> Acquire(const std::string& path);

  // False if the side file was removed, so that another process can make it anew and lock that.
  bool IsInPlace() const;

  // Frees the lock and removes the side file, if it is still this one's.
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  FileLock(int descriptor, std::string lock_path);

  int descriptor_;  // -1 when moved away
  std::string lock_path_;
};

}  // namespace bitpilot
