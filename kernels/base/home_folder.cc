#include "kernels/base/home_folder.h"

#include <cstdlib>

namespace bitpilot {

std::string ExpandHome(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? path : home + path.substr(1);
}

std::string CacheFolder() {
  const auto absolute = [](const char* variable) {
    const char* path = std::getenv(variable);
    return std::string(path != nullptr && path[0] == '/' ? path : "");
  };
  std::string folder = absolute("XDG_CACHE_HOME");
  if (folder.empty()) {
    const std::string home = absolute("HOME");
    if (home.empty()) return "";
    folder = home + "/.cache";
  }
  return folder + "/bitpilot";
}

}  // namespace bitpilot
