// The pressure bar: README.md says what for and how to call it.
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "experiments/reliability/pressure_run.h"

int main(int argc, char** argv) {
  using namespace bitpilot;
  PressureOptions options;
  options.cost_table = "tests/loopback/toy.cost";
  int seconds = 60;
  int calm_seconds = 60;
  CLI::App app("A hostile crowd at a daemon's port, while an agent measures");
  app.add_option("--folder", options.folder, "Of all that it writes")->required();
  app.add_option("--bitpilotd", options.bitpilotd, "The program")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--table", options.cost_table, "The board's numbers")
      ->check(CLI::ExistingFile)
      ->capture_default_str();
  app.add_option("--connections", options.connections, "In total")->capture_default_str();
  app.add_option("--seconds", seconds, "In which they come")->capture_default_str();
  app.add_option("--calm", calm_seconds, "Seconds between their end and the last look")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  options.duration = std::chrono::seconds{seconds};
  options.calm = std::chrono::seconds{calm_seconds};
  const Result<PressureReport> report = RunPressure(options);
  if (!report.ok()) {
    std::fprintf(stderr, "pressure: %s\n", report.status().message().c_str());
    return 1;
  }
  const nlohmann::ordered_json line{{"connections", report->connections},
                                    {"let_in", report->let_in},
                                    {"measurements", report->measurements},
                                    {"failures", report->failures},
                                    {"slowest_ms", report->slowest_ms},
                                    {"rss_before", report->bytes_before},
                                    {"rss_after", report->bytes_after},
                                    {"descriptors_before", report->descriptors_before},
                                    {"descriptors_after", report->descriptors_after}};
  std::printf("%s\n", line.dump().c_str());
  const bool passed = report->failures == 0 && report->let_in == 0 &&
                      report->bytes_after < report->bytes_before + (std::size_t{32} << 20);
  return passed ? 0 : 1;
}
