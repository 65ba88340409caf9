// Study: what an agent of the simulated world has on its disk, and what it still has to do.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_events.h"

namespace bitpilot::simulation {

struct Study {
  struct Job {
    fleet::JobSpec spec;  // request.id: the study's own, not the core's
    int attempts = 0;     // that are recorded
    bool has_ended = false;
  };
  std::map<int, Job> jobs;
  // What a class is like, from its first number on: a resumed search goes on with that.
  std::map<std::string, BoardInfo> classes;
};

// The jobs of an agent. has_large_file: one of them has a file of several chunks.
Study MakeStudy(int agent, int num_jobs, const std::vector<std::string>& tags, std::uint64_t seed,
                bool has_large_file);

// A measurement that a sound board passes.
JobRequest HealthCheckOf(int agent, int life);

}  // namespace bitpilot::simulation
