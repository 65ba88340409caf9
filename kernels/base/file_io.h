// Whole files: read into memory, written so that readers see the old file or the whole new one.
#pragma once

#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// Errors: kNotFound, kPermissionDenied, or kInvalidArgument (a folder, a read that fails); names
// `path`.
Result<std::string> ReadFile(const std::string& path);

// Writes a temporary file beside `path`, flushes it to the disk and renames it. On failure nothing
// is left behind and an existing file keeps its content.
//
// Errors: kNotFound (no such folder), kPermissionDenied, kResourceExhausted (disk full),
// kInvalidArgument; names `path`.
Status WriteFileAtomically(const std::string& path, std::string_view bytes);

}  // namespace bitpilot
