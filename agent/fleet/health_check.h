// Health check: a measurement that every sound board passes.
#pragma once

#include "agent/fleet/fleet_job.h"

namespace bitpilot {

// A small network with seeded weights, measured in a fraction of a second. A board that does not get
// its output right, or whose worker ends, is not to be trusted with others.
JobRequest HealthCheckRequest();

}  // namespace bitpilot
