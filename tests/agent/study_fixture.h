// What the tests of the study and of its readers share: a folder of their own and rows to store.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {

// A new folder that is removed with the test. In memory where the system offers that: kill -9 loses
// no more there than on a disk, and these tests would mostly wait for the disk.
class StudyFolder {
 public:
  StudyFolder() {
    const bool has_memory = access("/dev/shm", W_OK) == 0;
    std::string pattern = has_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string();
    pattern += "/bitpilot-XXXXXX";
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

  std::set<std::string> FileNames() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.insert(entry.path().filename());
    }
    return names;
  }

 private:
  std::filesystem::path folder_;
};

inline std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
}

// The value of `result`, or a failed test and the end of the program's promise to go on.
template <typename T>
T ValueOrDie(Result<T> result) {
  EXPECT_TRUE(result.ok()) << result.status().message();
  return std::move(result).value();
}

// "" for an untouched study, else "<seq>: <what>".
inline std::string Problem(const std::string& path) {
  const std::optional<LogProblem> problem = ValueOrDie(VerifyLog(path));
  return problem ? std::to_string(problem->seq) + ": " + problem->what : "";
}

// A new study as a search begins it: with who writes it, by which rules.
inline std::unique_ptr<Study> BeginStudy(const std::string& path) {
  auto study = ValueOrDie(Study::Create(path, R"({"model":"resnet8"})"));
  EXPECT_TRUE(AppendEvent(*study, AgentEvent{"a test", "no solver"}).ok());
  return study;
}

inline MeasurementRow MeasuredRow(const std::string& id, double median_ns) {
  MeasurementRow row;
  row.measurement_id = id;
  row.candidate_id = "candidate";
  row.assignment = R"({"activation_bits":[8,4],"weight_bits":[8,4]})";
  BoardInfo board;
  board.name = "bench";
  board.isa = "avx2";
  board.backend = "kernels";
  row.board = ToJson(board);
  row.tier = "SCREEN";
  row.status = "OK";
  row.source = "measured";
  for (int window = 0; window < 9; ++window) {
    row.window_ns.push_back(median_ns * (0.98 + 0.005 * window));
    row.window_cpu_ns.push_back(row.window_ns.back() * 0.9);
  }
  const MedianInterval interval = SignTestInterval(row.window_ns);
  row.latency_median_ns = interval.median;
  row.latency_low_ns = interval.low;
  row.latency_high_ns = interval.high;
  MeasurementConditions conditions;
  conditions.confidence = 0.961;
  conditions.inferences_per_window = 40;
  row.conditions = ToJson(conditions);
  return row;
}

// A row as a board answers it when the candidate crashes: a status, no numbers.
inline MeasurementRow CrashedRow(const std::string& id) {
  MeasurementRow row = MeasuredRow(id, 1e6);
  row.status = "CRASH";
  row.detail = "worker ended by signal 11";
  row.latency_median_ns = row.latency_low_ns = row.latency_high_ns = std::nullopt;
  row.window_ns.clear();
  row.window_cpu_ns.clear();
  return row;
}

}  // namespace bitpilot
