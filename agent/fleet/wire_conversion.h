// From the wire's messages to the types of agent/fleet/board.h, with the checks that need to know
// what was asked.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

BoardInfo ToBoardInfo(const v1::DeviceCapabilities& capabilities);

// The first difference between two descriptions that makes their measurements incomparable (CPU,
// instruction set, kernels, backend), as "isa is avx2, was scalar"; empty if there is none.
std::string FingerprintDifference(const BoardInfo& before, const BoardInfo& now);

// One network of a request, as the answer must describe it.
struct ExpectedNetwork {
  std::string sha256;  // 32 bytes
  int num_operations = 0;
};

// What else than latencies a request asked for.
struct AskedFor {
  bool per_operation = false;
  bool energy = false;
};

// Errors:
//   kDataCorrupt  the answer is not about these networks in this order, or lacks operation times
//                 that were asked for. An energy that is missing is none: it comes with a reason.
//
// REQUIRES: ValidateReply() passed.
Result<Measurement> ToMeasurement(const v1::MeasureResult& result,
                                  std::span<const ExpectedNetwork> expected,
                                  const AskedFor& asked_for);

// [images][classes] of little-endian float32 values back to back.
//
// REQUIRES: bytes.size() is a multiple of 4 * num_classes.
std::vector<std::vector<float>> ToLogits(std::string_view bytes, int num_classes);

}  // namespace bitpilot
