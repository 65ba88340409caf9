// How messages call a class of boards.
#pragma once

#include <string>

namespace bitpilot {

// The name, in logs, of the class of a search that was given none: one board, or all of a fleet file.
inline constexpr char kOnlyClass[] = "board";

// "class 'avx2'"; of kOnlyClass, a name that no user gave, "this fleet".
inline std::string ClassLabel(const std::string& on) {
  return on == kOnlyClass || on.empty() ? "this fleet" : "class '" + on + "'";
}

}  // namespace bitpilot
