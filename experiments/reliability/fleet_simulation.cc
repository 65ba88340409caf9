// Runs seeds of the fleet's simulator and says which of them break a law.
//
//   fleet-simulation --seeds 1..100000        many; ends with 1 and one line for each that breaks
//   fleet-simulation --seed 7 [--trace]       one, with every message and fault
//   --bug NAME                                with a planted bug (experiments/reliability/scenario.h)
//   --bounds                                  with --seeds: how near they come to each bound
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>

#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

bool ParseBug(const std::string& name, PlantedBug* bug) {
  for (int i = 0; i <= kNumBugs; ++i) {
    if (ToString(static_cast<PlantedBug>(i)) != name) continue;
    *bug = static_cast<PlantedBug>(i);
    return true;
  }
  return false;
}

bool ParseRange(const std::string& text, std::uint64_t* first, std::uint64_t* last) {
  unsigned long long low = 0;
  unsigned long long high = 0;
  if (std::sscanf(text.c_str(), "%llu..%llu", &low, &high) != 2 || low > high) return false;
  *first = low;
  *last = high;
  return true;
}

// How near the seeds come to each bound.
class Bounds {
 public:
  void Note(const std::string& what, std::uint64_t size, std::uint64_t limit, std::uint64_t seed) {
    One& one = ones_[what];
    if (size >= one.size) one = {size, limit, seed};
  }
  void Print() const {
    for (const auto& [what, one] : ones_) {
      std::cout << what << ": " << one.size << " of at most " << one.limit << ", seed " << one.seed
                << std::endl;
    }
  }

 private:
  struct One {
    std::uint64_t size = 0;
    std::uint64_t limit = 0;
    std::uint64_t seed = 0;
  };
  std::map<std::string, One> ones_;
};

// How many of the seeds break a law.
std::uint64_t RunSeeds(std::uint64_t first, std::uint64_t last, PlantedBug bug, bool shows_bounds) {
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t broken = 0;
  std::uint64_t events = 0;
  std::uint64_t executions = 0;
  Bounds bounds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const Outcome outcome = RunSeed(seed, bug);
    for (const auto& [what, peak] : outcome.peaks) bounds.Note(what, peak.size, peak.limit, seed);
    events += static_cast<std::uint64_t>(outcome.events);
    executions += static_cast<std::uint64_t>(outcome.executions);
    if (!outcome.violation.empty()) {
      ++broken;
      std::cout << outcome.violation << "; to see it: " << ReproducerOf(seed, bug) << std::endl;
    }
    if (seed % 1000 == 0) std::cerr << "seed " << seed << ", " << broken << " broken" << std::endl;
  }
  if (shows_bounds) bounds.Print();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::cout << last - first + 1 << " seeds, " << events << " events, " << executions
            << " executions, " << took.count() << " s: " << broken << " broken" << std::endl;
  return broken;
}

}  // namespace
}  // namespace bitpilot::simulation

int main(int argc, char** argv) {
  using namespace bitpilot::simulation;  // NOLINT(google-build-using-namespace)
  CLI::App app{"The fleet's simulator: agents, boards and a hostile network under one seed"};
  std::uint64_t seed = 0;
  std::string range = "1..1000";
  std::string bug_name = "none";
  bool trace = false;
  bool bounds = false;
  app.add_option("--seed", seed, "one seed");
  app.add_option("--seeds", range, "FIRST..LAST");
  app.add_option("--bug", bug_name, "a planted bug");
  app.add_flag("--trace", trace, "with --seed: every message and fault");
  app.add_flag("--bounds", bounds, "with --seeds: how near they come to each bound");
  CLI11_PARSE(app, argc, argv);
  PlantedBug bug = PlantedBug::kNone;
  std::uint64_t first = seed;
  std::uint64_t last = seed;
  if (!ParseBug(bug_name, &bug)) {
    std::cerr << "no planted bug is called '" << bug_name << "'" << std::endl;
    return 2;
  }
  if (seed == 0 && !ParseRange(range, &first, &last)) {
    std::cerr << "--seeds is FIRST..LAST, got '" << range << "'" << std::endl;
    return 2;
  }
  if (!trace || seed == 0) return RunSeeds(first, last, bug, bounds) == 0 ? 0 : 1;
  const Outcome outcome = RunSeed(seed, bug, &std::cout);
  std::cout << outcome.at.count() << " ms, " << outcome.events
            << " events: " << (outcome.violation.empty() ? "all laws hold" : outcome.violation)
            << std::endl;
  return outcome.violation.empty() ? 0 : 1;
}
