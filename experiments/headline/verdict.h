// What the results of several seeds say about the bar.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "experiments/headline/seed_result.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One row of every seed, in the order of the seeds.
struct RowOfSeeds {
  std::string name;
  std::vector<double> validation;
  std::vector<double> test;
  std::vector<double> ratio;
  std::vector<double> found_ratio;
  std::vector<double> found_gain;  // the found row's test accuracy less this one's, seed by seed
  std::vector<double> image_gain;  // the same of each test image, its mean over the seeds
  double mean_gain = 0.0;          // of found_gain, from counts: equal counts give exactly 0
};

// Errors: kInvalidArgument unless all seeds differ, have the same rows (the found one first, and uniform
// 8 bit), predictions for the same test images, and one agent, kernels and CPU.
Status CheckSeeds(const std::vector<SeedResult>& seeds);

// REQUIRES: CheckSeeds().
std::vector<RowOfSeeds> RowsOf(const std::vector<SeedResult>& seeds);

// Whose widths the found row of a seed has, if that is one of the references, or an answer of the integer
// program: then the search has found nothing better. Otherwise nothing.
std::optional<std::string> NothingBetterThan(const SeedResult& seed);

enum class Judgement : std::uint8_t { kMet, kNotMet, kNotJudged };

// Beside the fastest of the references but 8 bit that lose no more than so much to the found row, by mean
// test accuracy.
struct RivalVerdict {
  std::string name;  // empty: all others lose more
  std::vector<double> found_ratio;
  Judgement judgement = Judgement::kNotJudged;
};

// How much more a reference may lose in the second verdict, test accuracy: which of two networks is some
// images better is chance.
inline constexpr double kNearLoss = 0.001;

struct Verdict {
  // Why neither accuracy nor latency is judged: a NOISY comparison, too few seeds. Empty: they are.
  std::string not_judged;
  Judgement minutes = Judgement::kNotJudged;
  std::string minutes_reason;              // which seed, unless met
  Judgement loss = Judgement::kNotJudged;  // latency and accuracy beside 8 bit
  std::vector<std::string> nothing_found;  // a sentence for each seed that found nothing
  RivalVerdict rival;                      // that lose no more; not met if a seed found nothing
  RivalVerdict near_rival;                 // that lose at most kNearLoss more
  int seeds_that_hold = 0;  // on which `loss` and `rival` are met, judged alone and not NOISY
};

// REQUIRES: CheckSeeds().
Verdict Judge(const std::vector<SeedResult>& seeds);

}  // namespace bitpilot
