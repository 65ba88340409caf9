// The two steps of a file that must survive a full disk, a crash and a power cut: it is written and
// flushed beside its place, and then takes its place, which is flushed, too.
//
// One file alone is WriteFileAtomically()'s (kernels/base/file_io.h).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/status.h"

namespace bitpilot {

// A file that is on the disk under a temporary name. Files that belong together (a key and its
// public half) are all staged before the first one takes its place: a full disk is met before
// anything has changed.
class StagedFile {
 public:
  // Writes `bytes` into a new file in the folder of `path` and flushes it.
  //
  // mode: of the new file, less the process's umask, from its first moment: a secret is never
  // readable by others, not even for an instant.
  //
  // Errors: kNotFound (no such folder), kPermissionDenied, kResourceExhausted (disk full or
  // failing, a quota or a limit), kInvalidArgument; names `path`. Nothing is left behind.
  static Result<StagedFile> Write(const std::string& path, std::string_view bytes, mode_t mode);

  // Removes the temporary file unless Commit() was called.
  ~StagedFile();
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;

  // Puts the file in its place and flushes the folder. At most once.
  //
  // Errors: as Write(). If the folder alone could not be flushed, the new file is in place, but a
  // power cut may bring the old one back; the message says so.
  Status Commit();

 private:
  StagedFile(std::string path, std::string temporary)
      : path_(std::move(path)), temporary_(std::move(temporary)) {}

  std::string path_;
  std::string temporary_;  // empty when it took its place or was moved away
};

// Renames `from` to `to`, both in one folder, and flushes the folder. The content of `from` is the
// caller's to flush (fsync) before.
//
// Errors: as StagedFile::Commit(); names `to`.
Status RenameDurably(const std::string& from, const std::string& to);

// Makes `folder` and those above it that are missing, and flushes the entry of each.
//
// mode: of the folders that are made, less the umask.
//
// Errors: as FileError() (kernels/base/file_io.h); names the folder that cannot be made.
Status MakeFolderDurably(const std::string& folder, mode_t mode = 0777);

}  // namespace bitpilot
