// TrainOptions: how mini-batches are trained, and the learning rate of each.
#pragma once

#include <cstdint>

namespace bitpilot {

struct TrainOptions {
  int batch_size = 128;
  // Adam, of weights and (relative) of step sizes. Larger ones, up to 1e-3, pay off only in long
  // runs that fall to 0.
  double learning_rate = 2e-4;
  // 0.5 cross entropy + 0.5 KL to the teacher at temperature 2 (times 4).
  bool distill = true;
  bool augment = true;  // random crop (padding 4) and horizontal flip
  // Shares of `learning_rate` between which the rate moves along half a cosine while one call
  // trains its mini-batches.
  double rate_begin = 1.0;
  double rate_end = 1.0;
  // Training that is cut into several calls keeps one schedule: this call's first mini-batch is
  // number `schedule_position` of `schedule_batches`. 0 batches: the call is the schedule.
  std::int64_t schedule_position = 0;
  std::int64_t schedule_batches = 0;
};

// Learning rate of mini-batch i in [0, n) of one call:
//
//   learning_rate * (end + (begin - end) * (1 + cos(pi * (i + 0.5) / n)) / 2)
//
// with i and n those of the whole schedule where there is one; past its end, rate_end's.
//
// REQUIRES: batch >= 0; batches >= 1.
double LearningRate(const TrainOptions& options, std::int64_t batch, std::int64_t batches);

}  // namespace bitpilot
