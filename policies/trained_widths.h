// TrainedWidths: at which widths the weights of a place trained, and how much of it was at given ones.
#pragma once

#include <map>
#include <vector>

#include "policies/search_problem.h"

namespace bitpilot {

class TrainedWidths {
 public:
  // After `batches` more mini-batches at `choice`. REQUIRES: batches >= 0.
  TrainedWidths After(const Choice& choice, int batches) const;

  // By how much a variable's mini-batches at its width in `choice` outnumber those at other widths, as a
  // share of all of them and at least 0: the mean over the variables. 1 before any mini-batch.
  //
  // REQUIRES: as many variables as in the choices before.
  double OwnShare(const Choice& choice) const;

 private:
  int depth_ = 0;                            // mini-batches
  std::vector<std::map<int, int>> batches_;  // [variables], by width
};

}  // namespace bitpilot
