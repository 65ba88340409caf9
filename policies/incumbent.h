// Incumbent: the choice that a Metropolis walk over the measured choices stands on.
//
// The walk lets the search leave the current front: a measured choice that is worse than the
// incumbent becomes the new one with a probability that falls with its disadvantage and, as
// measurements are used up, with time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "policies/search_problem.h"
#include "policies/transition.h"

namespace bitpilot {

class IncumbentWalk {
 public:
  // `problem` must outlive the object.
  IncumbentWalk(const SearchProblem& problem, std::uint64_t seed)
      : problem_(problem), seed_(seed) {}

  std::uint64_t seed() const { return seed_; }

  // Goes on over the transitions of `history` that it has not met yet. In order of the history, a
  // measured one replaces the incumbent with probability min(1, e^(A / T)): A is the difference of
  // utilities (UtilityOf(), policies/reward.h), divided by the standard deviation of all such
  // differences so far; T falls from 1 to 0.05 geometrically over max_measurements.
  //
  // REQUIRES: a history that grew.
  void Take(const std::vector<Transition>& history);

  // Index into the history, or nullopt if nothing was measured.
  std::optional<std::size_t> incumbent() const { return incumbent_; }

 private:
  void Meet(std::size_t index, double utility);

  const SearchProblem& problem_;
  std::uint64_t seed_;
  std::size_t num_taken_ = 0;
  std::optional<std::size_t> incumbent_;
  double utility_ = 0.0;  // of the incumbent
  double sum_of_squares_ = 0.0;
  int differences_ = 0;
};

}  // namespace bitpilot
