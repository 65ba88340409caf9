// The user's folders: "~/", which a shell expands on a command line, but not in a file or after '=';
// and where caches are kept.
#pragma once

#include <string>

namespace bitpilot {

// `path` with a leading "~" or "~/" replaced by $HOME; unchanged if that is not set.
std::string ExpandHome(const std::string& path);

// $XDG_CACHE_HOME/bitpilot, or ~/.cache/bitpilot; empty if neither is an absolute path. What is in it
// may be removed at any time: it is measured again.
std::string CacheFolder();

}  // namespace bitpilot
