// Files that people write.
#pragma once

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// The content of `path` without the byte order mark (kernels/base/utf8.h) that an editor may have
// put before it.
//
// Errors: as ReadFile(); kDataCorrupt for what is no file.
Result<std::string> ReadTextFile(const std::string& path);

}  // namespace bitpilot
