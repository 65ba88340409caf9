// Whole files: read into memory, written so that readers see the old file or the whole new one.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// Errors: kNotFound, kPermissionDenied, or kInvalidArgument (a folder, a read that fails); names
// `path`.
Result<std::string> ReadFile(const std::string& path);

// Gives the content of `path` to `take` in order, in pieces of at most 64 KiB. Ends with the first
// failure that `take` returns.
//
// Errors: as ReadFile(), and what `take` returned, unchanged.
Status ReadFileInPieces(const std::string& path,
                        const std::function<Status(std::string_view piece)>& take);

// Writes a temporary file beside `path`, flushes it to the disk and renames it. On failure nothing
// is left behind and an existing file keeps its content. A device or a pipe is written to instead.
//
// Errors: kNotFound (no such folder), kPermissionDenied, kResourceExhausted (disk full),
// kInvalidArgument; names `path`.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);

// What programs call before they report success: results that were printed to a full disk are lost.
//
// Errors: kResourceExhausted if any output did not get out.
Status FlushStandardOutput();

}  // namespace bitpilot
