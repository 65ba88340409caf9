// TwinLosses: the twin's loss on every validation image, at each of its readings
// (agent/session/twin.h).
//
// Candidate and twin are read on the same images, and what is hard for one is mostly hard for the
// other. The error of the difference of their mean losses is that of the mean of the differences,
// and not both errors added as if the images were others.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

class TwinLosses {
 public:
  // batches: that the twin had had; not below those of the reading before. losses: nats, [images],
  // as many as of the others.
  void Add(int batches, std::vector<float> losses);

  bool empty() const { return readings_.empty(); }
  int num_images() const;

  // Standard error, over the images, of the mean of losses - twin's after `depth` mini-batches:
  // linear between readings, constant beyond them, as AnchorLoss() (policies/reward.h). 0 of fewer
  // than two images.
  //
  // losses: nats, [images], in the same order. REQUIRES: not empty(), as many images.
  double ExcessError(std::span<const float> losses, double depth) const;

  // The same of losses - (1 - twin_share) * same_weights - twin_share * twin's: of ChargeOf().
  //
  // same_weights: of uniform 8 bit on the same weights, nats, [images]. REQUIRES: as above.
  double ChargeError(std::span<const float> losses, std::span<const float> same_weights,
                     double twin_share, double depth) const;

  // True if these are of the anchor's readings, in their order: after as many mini-batches, and the mean
  // over the images is the reading's loss (but for the rounding of the losses to float).
  bool AreOf(const Anchor& anchor) const;

  // Binary: i32 readings, i32 images, and of each reading i32 mini-batches and f32 a loss
  // (kernels/base/byte_stream.h).
  std::string Serialize() const;
  // Errors: kDataCorrupt if `bytes` is not what Serialize() wrote.
  static Result<TwinLosses> Parse(std::string_view bytes);

 private:
  struct Reading {
    int batches = 0;
    std::vector<float> losses;
  };
  // The twin's after `depth` mini-batches: [images]. REQUIRES: not empty().
  std::vector<double> At(double depth) const;

  std::vector<Reading> readings_;
};

}  // namespace bitpilot
