#include "kernels/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kernels/base/file_descriptor.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

// Unique among the processes and threads that write `path` at the same time.
std::string TemporaryName(const std::string& path) {
  static std::atomic<unsigned> counter = 0;
  return path + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

// The folder that `path` has its entry in.
std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder;
}

// Flushes the entry of `path` in its folder; 0 or the error number.
int FlushEntry(const std::string& path) {
  const FileDescriptor folder(::open(FolderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) {
    // EINVAL: a file system that has nothing to flush of a folder.
    return ::fsync(folder.get()) == 0 || errno == EINVAL ? 0 : errno;
  }
  // A folder that we may write, but not read.
  const FileDescriptor entry(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return entry.get() >= 0 && ::syncfs(entry.get()) == 0 ? 0 : errno;
}

// Renames, both in one folder, and flushes that.
Status Replace(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return FileError(to, "write", errno);
  const int error = FlushEntry(to);
  if (error == 0) return Status();
  return FileError(to, "flush its folder (the new file is there; a power cut may lose it)", error);
}

}  // namespace

Result<StagedFile> StagedFile::Write(const std::string& path, std::string_view bytes, mode_t mode) {
  std::string temporary;
  int number = -1;
  do {
    // What a power cut left keeps its name, which a process may have again after the next start.
    temporary = TemporaryName(path);
    number = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  } while (number < 0 && errno == EEXIST);
  if (number < 0) return FileError(path, "write beside it", errno);
  StagedFile staged(path, temporary);
  const FileDescriptor file(number);
  int error = WriteAll(number, bytes);
  if (error == 0 && ::fsync(number) != 0) error = errno;
  if (error != 0) return FileError(path, "write", error);
  return staged;
}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})) {}

StagedFile::~StagedFile() {
  if (!temporary_.empty()) std::remove(temporary_.c_str());
}

Status StagedFile::Commit() {
  // Whatever happens now, the temporary file is this one's no more.
  const std::string temporary = std::exchange(temporary_, {});
  const Status status = Replace(temporary, path_);
  if (!status.ok()) std::remove(temporary.c_str());
  return status;
}

Status RenameDurably(const std::string& from, const std::string& to) { return Replace(from, to); }

Status MakeFolderDurably(const std::string& folder, mode_t mode) {
  std::error_code ignored;
  if (std::filesystem::is_directory(folder, ignored)) return Status();
  if (const std::string parent = FolderOf(folder); parent != folder) {
    BITPILOT_RETURN_IF_ERROR(MakeFolderDurably(parent, mode));
  }
  if (::mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) {
    return FileError(folder, "make this folder", errno);
  }
  const int error = FlushEntry(folder);
  return error == 0 ? Status() : FileError(folder, "flush the folder above it", error);
}

}  // namespace bitpilot
