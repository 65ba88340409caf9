// Whole files: read into memory, written so that readers see the old file or the whole new one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// Errors: kNotFound, kPermissionDenied, or kInvalidArgument (a folder, a read that fails); names
// `path`.
Result<std::string> ReadFile(const std::string& path);

// Finds before any work that a file or folder that is read later is not there.
//
// Errors: kNotFound, kPermissionDenied, or kDataCorrupt for a name that the system does not take.
Status CheckIsThere(const std::string& path);

// Whether what `path` names can be read only once, as the pipe of a shell's `<(command)` can: it is
// there, and is neither a file nor a folder. Opens nothing.
bool IsReadOnce(const std::string& path);

// For what is read several times: CheckIsThere(), and kUnsupported if it can be read only once.
Status CheckCanBeReadAgain(const std::string& path);

// Gives the content of `path` to `take` in order, in pieces of at most 64 KiB. Ends with the first
// failure that `take` returns.
//
// Errors: as ReadFile(), and what `take` returned, unchanged.
Status ReadFileInPieces(const std::string& path,
                        const std::function<Status(std::string_view piece)>& take);

// Writes a temporary file beside `path`, flushes it to the disk, renames it and flushes the folder.
// On failure nothing is left behind and an existing file keeps its content. A device or a pipe is
// written to instead; of a link, what it names is replaced.
//
// mode: of the new file, less the process's umask; 0600 for a secret.
//
// Errors: as StagedFile::Write() and StagedFile::Commit() (kernels/base/atomic_file.h).
Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode = 0666);

// The failure `error` (an errno) of doing `action` with `path`: "<path>: cannot <action>: ...", with the
// advice to free space where that helps.
// kNotFound, kPermissionDenied, kResourceExhausted (disk full or failing, a quota or a limit), or
// kInvalidArgument for all others.
Status FileError(const std::string& path, std::string_view action, int error);

// True of the errno of a write that met no space: the disk is full, or a quota or a limit on a file's
// size is met. Not of EIO: freeing space helps no disk that fails.
bool IsOutOfSpace(int error);

// Writes everything to an open file; 0 or the error number.
int WriteAll(int descriptor, std::string_view bytes);

// What programs call before they report success: results that were printed to a full disk are lost.
//
// Errors: kResourceExhausted if any output did not get out.
Status FlushStandardOutput();

}  // namespace bitpilot
