// A list that may be long, for people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/base/joined.h"

namespace bitpilot {

// "a, b, c and 37 more"; up to four are all named.
inline std::string FirstNamed(const std::vector<std::string>& all) {
  constexpr std::size_t kNamed = 3;
  if (all.size() <= kNamed + 1) return Joined(all);
  return Joined(std::vector<std::string>(all.begin(), all.begin() + kNamed)) + " and " +
         std::to_string(all.size() - kNamed) + " more";
}

}  // namespace bitpilot
