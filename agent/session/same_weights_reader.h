// SameWeightsReader: uniform 8 bit read on the weights that a trial was read on, which a reward needs
// (policies/reward.h).
#pragma once

#include <optional>
#include <string>

#include "agent/qat/scored_network.h"
#include "agent/session/placed_training.h"
#include "agent/session/twin_losses.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

class SameWeightsReader {
 public:
  // References must outlive the object.
  SameWeightsReader(const SearchProblem& problem, PlacedTraining& training, const TwinLosses& twin)
      : problem_(problem), training_(training), twin_(twin) {}

  // `read`: the network of `choice` on the weights of `at`. Nothing where these never trained, no final
  // training takes anything back, or uniform 8 bit has no finite loss there. Weights that were read
  // last are not read again.
  //
  // Errors: those of PlacedTraining::Read(). REQUIRES: the twin was read.
  Result<std::optional<SameWeights>> Read(const Choice& choice, const ScoredNetwork& read,
                                          const PlaceFile& at);

 private:
  const SearchProblem& problem_;
  PlacedTraining& training_;
  const TwinLosses& twin_;
  std::string weights_sha256_;             // that uniform8_ was read on
  std::optional<ScoredNetwork> uniform8_;  // nothing: no finite loss
};

}  // namespace bitpilot
