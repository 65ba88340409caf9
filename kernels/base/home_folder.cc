#include "kernels/base/home_folder.h"

#include <cstdlib>

namespace bitpilot {

std::string ExpandHome(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? path : home + path.substr(1);
}

}  // namespace bitpilot
