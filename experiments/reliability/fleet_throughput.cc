// What the fleet costs: how busy it keeps its boards, what the protocol adds to a request, and how often
// a network's file travels. Prints a table of three lines; ends with 1 if one misses its bar.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "agent/fleet/zmq_link.h"
#include "experiments/reliability/board_farm.h"
#include "experiments/reliability/farm_agent.h"

namespace bitpilot::simulation {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds kRegisterLimit{60};
constexpr double kLeastBusy = 0.95;
constexpr double kMostAddedUs = 300.0;
// A job asks what the board has of the file, and then to measure.
constexpr int kRequestsPerJob = 2;
constexpr std::size_t kSmallFile = 1'000;
constexpr std::size_t kFileBytes = 1'000'000;

int Fail(const std::string& what) {
  std::cerr << what << std::endl;
  return 2;
}

int Print(const std::string& what, double value, const std::string& bar, bool holds) {
  std::printf("%s,%.4g,%s,%s\n", what.c_str(), value, bar.c_str(), holds ? "holds" : "missed");
  std::fflush(stdout);
  return holds ? 0 : 1;
}

// A farm and an agent that has a lease of each of its boards.
struct Lab {
  std::unique_ptr<BoardFarm> farm;
  std::unique_ptr<FarmAgent> agent;
};

Status Open(int num_boards, std::chrono::microseconds measurement_time, std::size_t file_bytes,
            Lab* lab) {
  const AgentKeys keys = GenerateCurveKeys();
  Result<std::unique_ptr<BoardFarm>> farm =
      BoardFarm::Start({num_boards, measurement_time, keys.public_key});
  if (!farm.ok()) return farm.status();
  lab->farm = std::move(*farm);
  lab->agent = std::make_unique<FarmAgent>(keys, file_bytes);
  return lab->agent->Register(lab->farm->addresses(), kRegisterLimit);
}

int MeasureBusy(int num_boards, int measurement_ms, int count) {
  Lab lab;
  const Status status =
      Open(num_boards, std::chrono::milliseconds(measurement_ms), kSmallFile, &lab);
  if (!status.ok()) return Fail(status.message());
  const Clock::time_point start = Clock::now();
  const int measured = lab.agent->Measure(count, 2 * num_boards);
  const double wall_s = Seconds(Clock::now() - start).count();
  lab.agent.reset();
  const auto counts = lab.farm->Stop();
  if (!counts.ok() || measured != count) return Fail("measurements were lost");
  double busy_s = 0.0;
  for (const SocketBoard::Counts& board : *counts) busy_s += Seconds(board.busy).count();
  const double busy = busy_s / (wall_s * num_boards);
  return Print("boards busy (share of wall time)", busy, ">= 0.95", busy >= kLeastBusy);
}

int MeasureAddedLatency(int count) {
  Lab lab;
  const Status status = Open(1, std::chrono::microseconds(0), kSmallFile, &lab);
  if (!status.ok()) return Fail(status.message());
  std::vector<double> added_us;
  for (int i = 0; i < count; ++i) {
    const Clock::time_point start = Clock::now();
    if (lab.agent->Measure(1, 1) != 1) return Fail("a measurement was lost");
    added_us.push_back(1e6 * Seconds(Clock::now() - start).count() / kRequestsPerJob);
  }
  std::nth_element(added_us.begin(), added_us.begin() + count / 2, added_us.end());
  const double median = added_us[static_cast<std::size_t>(count / 2)];
  return Print("added by the protocol to a request (us, median)", median, "<= 300",
               median <= kMostAddedUs);
}

int MeasureUploads(int num_boards) {
  Lab lab;
  const Status status = Open(num_boards, std::chrono::milliseconds(20), kFileBytes, &lab);
  if (!status.ok()) return Fail(status.message());
  const int count = 16 * num_boards;
  const int measured = lab.agent->Measure(count, count);
  lab.agent.reset();
  const auto counts = lab.farm->Stop();
  if (!counts.ok() || measured != count) return Fail("measurements were lost");
  int once = 0;
  for (const SocketBoard::Counts& board : *counts) {
    once += board.artifact_bytes == kFileBytes && board.measurements > 0 ? 1 : 0;
  }
  return Print("boards that a file of 1 MB reached once", once, "= " + std::to_string(num_boards),
               once == num_boards);
}

}  // namespace
}  // namespace bitpilot::simulation

int main(int argc, char** argv) {
  using namespace bitpilot::simulation;  // NOLINT(google-build-using-namespace)
  CLI::App app{"What a fleet costs beside its measurements"};
  int boards = 4;
  int measurement_ms = 50;
  int measurements = 2'400;
  int requests = 5'000;
  int upload_boards = 8;
  app.add_option("--boards", boards, "of the first line")->check(CLI::Range(1, 500));
  app.add_option("--measurement-ms", measurement_ms)->check(CLI::Range(1, 60'000));
  app.add_option("--measurements", measurements)->check(CLI::Range(1, 10'000'000));
  app.add_option("--requests", requests, "of the second line")->check(CLI::Range(1, 10'000'000));
  app.add_option("--upload-boards", upload_boards)->check(CLI::Range(1, 500));
  CLI11_PARSE(app, argc, argv);
  std::printf("what,value,bar,verdict\n");
  std::fflush(stdout);  // a forked process would print it again
  int worst = MeasureBusy(boards, measurement_ms, measurements);
  worst = std::max(worst, MeasureAddedLatency(requests));
  return std::max(worst, MeasureUploads(upload_boards));
}
