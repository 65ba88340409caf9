// A against B in `--json`: the same fields in both programs.
#pragma once

#include "kernels/versus/found_difference.h"
#include "kernels/versus/paired_blocks.h"
#include "kernels/versus/versus_text.h"

namespace bitpilot {

// {"ratio", "ratio_low", "ratio_high", "p_value", "rounds"}: of the first network to the second.
//
// Json: an nlohmann::basic_json.
template <typename Json>
Json PairJson(const PairVerdict& pair) {
  Json object = Json::object();
  object["ratio"] = pair.ratio();
  object["ratio_low"] = pair.low;
  object["ratio_high"] = pair.high;
  object["p_value"] = pair.rounds.p_value;
  object["rounds"] = pair.num_rounds;
  return object;
}

// PairJson() of A to B, and
//   verdict              "faster", "slower" or "no difference" (of energy "less", "more"), of A; null
//                        if two copies of A were told apart: then no_verdict_reason says so
//   same                 PairJson() of two copies of A, with "told_apart"
//   smallest_difference  is found in `power` of such comparisons, as a fraction; null if none is
template <typename Json>
Json VersusJson(const VersusVerdict& verdict, VersusQuantity quantity) {
  Json object = PairJson<Json>(verdict.different);
  object["verdict"] = nullptr;
  object["no_verdict_reason"] = nullptr;
  if (verdict.speed) {
    object["verdict"] = VersusWord(*verdict.speed, quantity);
  } else {
    object["no_verdict_reason"] = WhyNoVerdict(verdict);
  }
  object["same"] = PairJson<Json>(verdict.same);
  object["same"]["told_apart"] = !verdict.speed.has_value();
  object["smallest_difference"] = nullptr;
  if (verdict.smallest_difference) object["smallest_difference"] = *verdict.smallest_difference;
  object["power"] = kStatedPower;
  return object;
}

}  // namespace bitpilot
