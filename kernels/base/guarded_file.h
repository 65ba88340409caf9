// Files that decide who gets in: secret keys and lists of keys. They are read only if nobody but
// their owner could have written them.
#pragma once

#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

enum class GuardedContent {
  kSecret,  // Only its owner may read it.
  kList,    // Others may read it, but not write it.
};

// The content of `path`, a regular file that belongs to the user of this process or to root. What
// is checked is the opened file, so that nobody can exchange it in between; a symbolic link in its
// place is refused. At most 1 MiB.
//
// Errors (all name `path`, what was expected and what to do):
//   kNotFound          no such file.
//   kPermissionDenied  it cannot be opened, is another user's, or others may read (write) it.
//   kInvalidArgument   a folder, a device, a symbolic link, or larger than 1 MiB.
Result<std::string> ReadGuardedFile(const std::string& path, GuardedContent content);

}  // namespace bitpilot
