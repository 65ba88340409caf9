#include "kernels/base/host_name.h"

#include <unistd.h>

#include <array>
#include <string_view>

namespace bitpilot {

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name.front() == '\0') return "unknown";
  return name.data();
}

std::string HostNameAsListName() {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  std::string name = HostName();
  for (char& c : name) {
    if (kPlain.find(c) == std::string_view::npos) c = '-';
  }
  return name;
}

}  // namespace bitpilot
