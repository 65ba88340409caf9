// `bitpilotd bench --versus`: what it measures and prints.
#pragma once

#include "device_daemon/commands/commands.h"
#include "device_daemon/measurement/core_threads.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

// Compares `a`, which options.network names, with `b` on `threads`, of which the first calls, and
// prints the result: what two copies of `a` came to as soon as it is known, except with --json.
// Returns VersusExitCode().
//
// Errors: BenchVersusBlock()'s.
Result<int> BenchVersus(const BenchOptions& options, const Network& a, const Network& b, Isa isa,
                        const CoreThreads& threads);

}  // namespace bitpilot
