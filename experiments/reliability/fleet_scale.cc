// How many boards one agent serves: registers so many on loopback, with real sockets and CURVE, and
// measures on all of them. Prints a table; ends with 1 if a bar is missed.
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "agent/fleet/zmq_link.h"
#include "experiments/reliability/board_farm.h"
#include "experiments/reliability/farm_agent.h"

namespace bitpilot::simulation {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds kRegisterLimit{60};
constexpr double kMostCores = 1.0;
constexpr double kMostMib = 512.0;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double PeakMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

int Print(const std::string& what, double value, const std::string& bar, bool holds) {
  std::printf("%s,%.4g,%s,%s\n", what.c_str(), value, bar.c_str(), holds ? "holds" : "missed");
  std::fflush(stdout);
  return holds ? 0 : 1;
}

int Run(int num_boards, int count, int measurement_ms) {
  const AgentKeys keys = GenerateCurveKeys();
  Result<std::unique_ptr<BoardFarm>> farm =
      BoardFarm::Start({num_boards, std::chrono::milliseconds(measurement_ms), keys.public_key});
  if (!farm.ok()) {
    std::cerr << farm.status().message() << std::endl;
    return 2;
  }
  auto agent = std::make_unique<FarmAgent>(keys, 1'000);
  const Clock::time_point start = Clock::now();
  const Status registered = agent->Register((*farm)->addresses(), kRegisterLimit);
  const double register_s = Seconds(Clock::now() - start).count();
  if (!registered.ok()) std::cerr << registered.message() << std::endl;
  std::printf("what,value,bar,verdict\n");
  int missed = Print(std::to_string(num_boards) + " boards registered (s)", register_s, "<= 60",
                     registered.ok());
  const double cpu_before_s = CpuSeconds();
  const Clock::time_point began = Clock::now();
  const int measured = agent->Measure(count, 2 * num_boards);
  const double wall_s = Seconds(Clock::now() - began).count();
  const double cores = (CpuSeconds() - cpu_before_s) / wall_s;
  agent.reset();
  const auto counts = (*farm)->Stop();
  std::int64_t executed = 0;
  if (counts.ok()) {
    for (const SocketBoard::Counts& board : *counts) {
      executed += static_cast<std::int64_t>(board.measurements);
    }
  }
  missed |= Print("requests lost of " + std::to_string(count), count - measured, "= 0",
                  measured == count);
  missed |= Print("executed beside them", static_cast<double>(executed - count), "= 0",
                  executed == count);
  missed |= Print("the agent's cores", cores, "<= 1", cores <= kMostCores);
  missed |= Print("the agent's memory (MiB)", PeakMib(), "<= 512", PeakMib() <= kMostMib);
  Print("measurements a second", count / wall_s, "none", true);
  return missed;
}

}  // namespace
}  // namespace bitpilot::simulation

int main(int argc, char** argv) {
  CLI::App app{"One agent and many boards, with real sockets and CURVE"};
  int boards = 500;
  int requests = 100'000;
  int measurement_ms = 1'000;
  app.add_option("--boards", boards)->check(CLI::Range(1, 1000));
  app.add_option("--requests", requests, "measurements, on all boards together")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--measurement-ms", measurement_ms, "0: answered at once")
      ->check(CLI::Range(0, 60'000));
  CLI11_PARSE(app, argc, argv);
  return bitpilot::simulation::Run(boards, requests, measurement_ms);
}
