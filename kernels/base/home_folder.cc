#include "kernels/base/home_folder.h"

#include <cstdlib>

namespace bitpilot {

std::string ExpandHome(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? path : home + path.substr(1);
}

std::string UserCacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/bitpilot";
  const std::string home = ExpandHome("~");
  return home == "~" ? std::string() : home + "/.cache/bitpilot";
}

}  // namespace bitpilot
