#include "agent/session/same_weights_reader.h"

#include <utility>

#include "policies/reward.h"

namespace bitpilot {

Result<std::optional<SameWeights>> SameWeightsReader::Read(const Choice& choice,
                                                           const ScoredNetwork& read,
                                                           const PlaceFile& at) {
  if (at.depth == 0 || problem_.final_batches == 0) return std::optional<SameWeights>();
  if (ToAssignment(problem_, choice) == problem_.base) {
    uniform8_ = read;
  } else if (weights_sha256_ != at.file.sha256) {
    Result<std::optional<ScoredNetwork>> uniform8 = training_.Read(at, problem_.base);
    if (!uniform8.ok()) return uniform8.status();
    uniform8_ = std::move(*uniform8);
  }
  weights_sha256_ = at.file.sha256;
  if (!uniform8_) return std::optional<SameWeights>();
  const double own_share = at.widths.OwnShare(choice);
  return std::optional(SameWeights{
      .loss = uniform8_->score.loss,
      .correct = uniform8_->score.correct,
      .own_share = own_share,
      .charge_error =
          twin_.ChargeError(read.losses, uniform8_->losses, TwinShare(own_share), at.depth)});
}

}  // namespace bitpilot
