// MeasurementLog: follows what a daemon's log (`--log-format json`) says of measurements, while it grows.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>

namespace bitpilot {

class MeasurementLog {
 public:
  explicit MeasurementLog(std::string path) : path_(std::move(path)) {}

  // Takes in what was written since the last call; a last line without an end waits for it.
  void Read();

  std::size_t begun() const { return begun_; }
  std::size_t finished() const { return finished_; }
  // Measure ids, in hexadecimal digits: with numbers that no agent has acknowledged yet.
  const std::set<std::string>& unacknowledged() const { return unacknowledged_; }

 private:
  void Take(const std::string& line);

  std::string path_;
  std::size_t offset_ = 0;
  std::string cut_off_;
  std::size_t begun_ = 0;
  std::size_t finished_ = 0;
  std::set<std::string> unacknowledged_;
};

}  // namespace bitpilot
