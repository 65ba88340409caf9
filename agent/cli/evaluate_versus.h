// `bitpilot evaluate --versus`: A, which --bits names, against B on a board.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/cli/evaluate_flags.h"
#include "agent/fleet/board.h"
#include "agent/model/image_dataset.h"
#include "agent/qat/quantized_model.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// B.
struct VersusOther {
  Network network;
  std::optional<Evaluation> evaluation;  // on A's images and in A's arithmetic; nullopt: none
};

// Adds "b" to `line`: {"versus", "network", "weight_bytes", "accuracy", "accuracy_difference",
// "accuracy_difference_low", "accuracy_difference_high"}. The difference is A's accuracy less B's, on
// the same images, with its 95 % interval; null where B has no accuracy.
//
// a: A's, on `data`.   versus: as the user named B.
void AddOther(const VersusOther& other, const Evaluation& a, const ImageDataset& data,
              const std::string& versus, nlohmann::json& line);

// Measures and adds to `line`, which has AddOther()'s:
//   device, isa, source  of the board
//   latency_median_ns    A's; that of "b" likewise
//   versus               VersusJson() of times (kernels/versus/versus_fields.h)
//   energy_versus        the same of gross energies; null without, and then no_energy_reason says why,
//                        if energy was asked for
//   kernels              A's
//   and the context (agent/cli/context_json.h), of the last block or the last NOISY one, with
//   measure_detail of them all.
// For people, without --json, prints what the line has before it measures, two copies of A as soon as
// they are measured, and then the rest. Returns the exit code.
//
// device: as the user named the board.
//
// Errors: CompareVersusOnBoard()'s.
Result<int> AddVersus(Board& board, const std::string& device, const EvaluateFlags& flags,
                      const Network& a, const Network& b,
                      const std::function<void(const std::string&)>& notice, nlohmann::json& line);

}  // namespace bitpilot
