// What the tests of the study and of its readers share: a folder of their own and rows to store.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "agent/study/events.h"
#include "agent/study/study.h"

namespace bitpilot {

// A new folder that is removed with the test.
class StudyFolder {
 public:
  StudyFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bitpilot-XXXXXX").string();
    BITPILOT_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~StudyFolder() {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  StudyFolder(const StudyFolder&) = delete;
  StudyFolder& operator=(const StudyFolder&) = delete;

  std::string Path(const std::string& name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};

inline MeasurementRow MeasuredRow(const std::string& id, double median_ns) {
  MeasurementRow row;
  row.measurement_id = id;
  row.candidate_id = "candidate of " + id;
  row.assignment = R"({"activation_bits":[8,4],"weight_bits":[8,4]})";
  BoardInfo board;
  board.name = "bench";
  board.isa = "avx2";
  board.backend = "kernels";
  row.board = ToJson(board);
  row.tier = "SCREEN";
  row.status = "OK";
  row.source = "measured";
  row.latency_median_ns = median_ns;
  row.latency_low_ns = median_ns * 0.99;
  row.latency_high_ns = median_ns * 1.01;
  for (int window = 0; window < 9; ++window) {
    row.window_ns.push_back(median_ns * (0.98 + 0.005 * window));
    row.window_cpu_ns.push_back(row.window_ns.back() * 0.9);
  }
  MeasurementConditions conditions;
  conditions.confidence = 0.961;
  conditions.inferences_per_window = 40;
  row.conditions = ToJson(conditions);
  return row;
}

}  // namespace bitpilot
