// Measurement: one MeasureRequest carried out on this CPU, or answered by a cost table.
//
// The order is the point. The board must be fit before kernels are timed to choose among them. Then
// every network's output is compared bit for bit with the host's golden logits, before it is
// measured and again after the last window, so a wrong kernel can never earn a latency.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/measurement/board_watch.h"
#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/network.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/isa.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// Where networks come from and what answers for their latency.
struct MeasurementSetup {
  // The network with this SHA-256. Errors are passed on as REJECTED or OUT_OF_MEMORY.
  std::function<Result<Network>(std::string_view sha256)> load;
  Isa isa = Isa::kScalar;
  // As CompileOptions::choices; of the lease that the request came with.
  KernelChoices* choices = nullptr;
  // Answers instead of the clock; outputs are checked all the same.
  std::optional<CostTable> cost_table;
  // Of a cost table: waits so many nanoseconds. Empty: the table's answers take no time.
  std::function<void(std::int64_t)> spend_ns;
  BoardWatch* watch = nullptr;  // Gate, canary and conditions; none where no board is measured.
};

// "measured", or "MODEL:<table name>": what MeasureResult::source says.
std::string SourceOf(const MeasurementSetup& setup);

// Never fails: what goes wrong is the result's status, with its detail. The result carries numbers
// exactly if its status is OK or NOISY.
//
// REQUIRES: ValidateRequest() accepted the request.
v1::MeasureResult Measure(const v1::MeasureRequest& request, const MeasurementSetup& setup,
                          MeasureClock& clock, const ProgressFunction& progress);

}  // namespace bitpilot
