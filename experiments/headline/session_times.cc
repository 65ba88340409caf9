#include "experiments/headline/session_times.h"

#include <sstream>

namespace bitpilot {

Result<std::optional<SessionTimes>> ParseSessionTimes(const std::string& text) {
  SessionTimes times;
  bool is_open = false;
  bool is_known = !text.empty();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    words >> word;
    double wall = 0.0, user = 0.0, system = 0.0;
    if (word == "begin") {
      is_known &= !is_open;
      is_open = true;
    } else if (is_open && word == "end" && words >> wall >> user >> system) {
      times.wall_seconds += wall;
      times.cpu_seconds += user + system;
      is_open = false;
    } else {
      return DataCorrupt("expected \"begin\", and then \"end WALL USER SYSTEM\", got \"" + line +
                         "\"");
    }
  }
  if (is_open || !is_known) return std::optional<SessionTimes>();
  return std::optional<SessionTimes>(times);
}

}  // namespace bitpilot
