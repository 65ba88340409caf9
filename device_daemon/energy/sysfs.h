// Files of the kernel's sysfs, with failures that say what to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// The first line of `path`, without trailing white space.
//
// Errors, naming the file: kNotFound, kPermissionDenied (with the command that permits reading),
// kUnavailable for a read that the driver refuses.
Result<std::string> ReadSysfsLine(const std::filesystem::path& path);

// The first line as a decimal number; a sign is allowed.
//
// Errors: as ReadSysfsLine(), and kDataCorrupt for anything that is not one number.
Result<std::int64_t> ReadSysfsNumber(const std::filesystem::path& path);

// Entries of `folder` whose names begin with `prefix`, sorted by name; none if there is no such
// folder.
std::vector<std::filesystem::path> SysfsEntries(const std::filesystem::path& folder,
                                                std::string_view prefix);

}  // namespace bitpilot
