// The user's folders.
#pragma once

#include <string>

namespace bitpilot {

// "~/" is what a shell expands on a command line, but not in a file or after '='.
//
// `path` with a leading "~" or "~/" replaced by $HOME; unchanged if that is not set.
std::string ExpandHome(const std::string& path);

// Where this program keeps what it can make again: $XDG_CACHE_HOME/bitpilot, ~/.cache/bitpilot where
// that is not set or not absolute (XDG Base Directory Specification); empty without a home folder.
std::string UserCacheFolder();

}  // namespace bitpilot
