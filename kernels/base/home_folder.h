// "~/": what a shell expands on a command line, but not in a file or after '='.
#pragma once

#include <string>

namespace bitpilot {

// `path` with a leading "~" or "~/" replaced by $HOME; unchanged if that is not set.
std::string ExpandHome(const std::string& path);

}  // namespace bitpilot
