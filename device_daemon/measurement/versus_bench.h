// One block of A against B (kernels/versus/versus.h) on this CPU, for `bitpilotd bench --versus`.
#pragma once

#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/kernel_choices.h"
#include "kernels/runtime/thread_pool.h"
#include "kernels/versus/versus.h"

namespace bitpilot {

// Compiles A and B (or two copies of A) in the order of `turn` and times them in interleaved rounds of
// an AUDIT; again while they are NOISY, as often as the turn allows. Runs on the calling thread, whose
// affinity stays as it is.
//
// pool: threads that share an inference, or null; then ratios are those of wall times.
// choices: of kernels, the same for all blocks of a comparison.
// is_long: windows of `--audit`.
//
// Errors:
//   kInvalidArgument, kUnsupported, kResourceExhausted  CompiledNetwork::Create's.
Result<VersusBlock> BenchVersusBlock(const Network& a, const Network& b, const VersusTurn& turn,
                                     bool is_long, Isa isa, ThreadPool* pool,
                                     KernelChoices& choices, MeasureClock& clock,
                                     const ProgressFunction& progress);

}  // namespace bitpilot
