// Adaptation: how far shared weights have adapted to each width of each variable.
//
// One set of weights serves all widths of a search, and drifts to those that it trains at: after
// training at 2 bits the same weights are worse at 8 than before (ResNet-8, 195 mini-batches at
// w2a4: accuracy at w8a8 falls from .873 to .825). This is that state, a number in [0, 1] for each
// width of each variable, and its law of motion:
//
//   at the start      a[i][w] = K(w, 8)
//   training at b     a[i][w] += (1 - e^(-n / tau)) (K(w, b[i]) - a[i][w])      for every w
//   kernel            K(v, w) = the square of the ratio of e(v) and e(w): 1/4 from 8 to 4 bits and from 4
//                     to 2. e(w) = w up to 4 bits; above, 1 - K(w, 8) falls to a quarter with each
//                     bit, as the power of the noise does: to .19, .05, .01 at 5, 6, 7 bits. Of the
//                     widths alone: which others a variable may take changes nothing.
//
// n: mini-batches, each counted by its share of the learning rate. tau: mini-batches in which the
// distance falls to 1/e, unknown before a network has trained (policies/loss_belief.h learns it).
#pragma once

#include <vector>

#include "policies/search_problem.h"
#include "policies/width_index.h"

namespace bitpilot {

class Adaptation {
 public:
  // Of the float network's weights: as if trained at 8 bits. `index` must outlive it and all that
  // come from it.
  explicit Adaptation(const WidthIndex& index);

  // After training at `choice` from here on.
  //
  // REQUIRES: batches >= 0; tau > 0.
  Adaptation After(const Choice& choice, double batches, double tau) const;

  // 1 - a of each variable at its width in `choice`: [variables], in [0, 1].
  std::vector<double> Missing(const Choice& choice) const;

 private:
  const WidthIndex* index_;
  std::vector<double> adapted_;  // [index_->num_widths()]
};

}  // namespace bitpilot
