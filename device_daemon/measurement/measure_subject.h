// A network of a MeasureRequest, ready to run, and the check of its output: what every phase of a
// measurement begins and ends with.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/measurement/measurement.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/compiled_network.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// A status that ends the measurement, with its detail; OK goes on.
struct MeasureVerdict {
  v1::MeasureStatus status = v1::OK;
  std::string detail;
  bool is_damaged = false;  // the network's file is not what it was when it was stored
  bool ok() const { return status == v1::OK; }
};

// UNSUPPORTED, OUT_OF_MEMORY, or REJECTED for everything else that is not OK.
MeasureVerdict ToVerdict(const Status& status);

struct MeasureSubject {
  Network network;
  CompiledNetwork compiled;
  std::string golden_logits;  // float32, as bytes
  std::vector<float> logits;  // of the last inference
  v1::NamedOutputs outputs;   // how they are divided; empty: one output without a name
};

std::span<const std::uint8_t> GoldenPixels(const v1::MeasureRequest& request);

// Loads network `index` of the request.
//
// Errors: kInvalidArgument if the golden data do not fit it; what loading answers.
Result<Network> LoadNetworkOf(const v1::MeasureRequest& request, int index,
                              const MeasurementSetup& setup);

// Compiles it. With setup.choices this may time kernels, so the board must be fit. `progress` is
// told how long the first inference and the choice of kernels may be silent, and that each
// operation is packed.
//
// Errors: CompiledNetwork::Create's.
Result<MeasureSubject> CompileSubject(const v1::MeasureRequest& request, int index, Network network,
                                      const MeasurementSetup& setup,
                                      const ProgressFunction& progress);

// Compares the logits of the last inference with the golden ones, bit for bit. `when` completes
// "network 1, logit 3 ..." or "network 1, output boxes, value 3 ...", e.g. "after timing".
MeasureVerdict CheckOutput(const MeasureSubject& subject, int index, std::string_view when);

}  // namespace bitpilot
