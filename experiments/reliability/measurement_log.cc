#include "experiments/reliability/measurement_log.h"

#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

namespace bitpilot {

void MeasurementLog::Read() {
  std::ifstream file(path_, std::ios::binary);
  if (!file.seekg(static_cast<std::streamoff>(offset_))) return;
  std::ostringstream text;
  text << file.rdbuf();
  offset_ += text.str().size();
  std::istringstream lines(std::exchange(cut_off_, {}) + text.str());
  for (std::string line; std::getline(lines, line);) {
    if (lines.eof()) {
      cut_off_ = line;
    } else {
      Take(line);
    }
  }
}

void MeasurementLog::Take(const std::string& line) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return;
  const std::string event = json.value("event", "");
  const std::string id = json.value("measure_id", "");
  if (event == "measurement_started") ++begun_;
  if (event == "result_acknowledged") unacknowledged_.erase(id);
  if (event != "measurement_finished") return;
  ++finished_;
  const std::string status = json.value("status", "");
  if (status == "OK" || status == "NOISY") unacknowledged_.insert(id);
}

}  // namespace bitpilot
