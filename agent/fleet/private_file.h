// Small files with keys in them.
#pragma once

#include <sys/types.h>

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// Writes a new file in place of `path`. It has `mode` from its first moment: a secret is never
// readable by others, not even for an instant.
//
// Errors: kPermissionDenied; names `path` and says why.
Status WriteFileWithMode(const std::string& path, const std::string& text, mode_t mode);

}  // namespace bitpilot
