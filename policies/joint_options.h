// Joint widths of variables that are chosen together, as options of the integer program
// (policies/bit_allocator.h): all that are worth it, or, where there are too many, a relaxation.
#pragma once

#include <vector>

namespace bitpilot {

// Sums over variables.
struct JointOption {
  double loss = 0.0;
  double latency_ratio = 0.0;
  double energy_ratio = 0.0;
  double weight_bits = 0.0;  // weights x bits, a whole number
  std::vector<int> widths;   // one for each variable, in order
};

// What an option is judged by: the lower the better.
using Criterion = double JointOption::*;

// Joint options are sums of `start` and one of widths[v] for every v; each of widths[v] holds the one
// width that it adds.

// Those that no other one equals or beats in all criteria.
std::vector<JointOption> AllNotDominated(const JointOption& start,
                                         const std::vector<std::vector<JointOption>>& widths,
                                         const std::vector<Criterion>& criteria);
std::vector<JointOption> WithoutDominated(std::vector<JointOption> options,
                                          const std::vector<Criterion>& criteria);

// For any two criteria the options on their lower convex hull: those that are best at some price of
// the one in the other. The hull of a sum is the sum of the variables' hulls, so it is found edge by
// edge, steepest first, and an option and the next differ in one variable's width: at most 6 x variables
// + 1 options of seven widths, however many joint widths there are.
std::vector<JointOption> OptionsOnHulls(const JointOption& start,
                                        const std::vector<std::vector<JointOption>>& widths,
                                        const std::vector<Criterion>& criteria);

// Of many options, for any two criteria, those of the lowest value of the one in each of kSlices equal
// slices of the other, and those that are lowest in one: so few that an integer program of them is
// solved in seconds.
inline constexpr int kSlices = 64;
std::vector<JointOption> LowestInSlices(const std::vector<JointOption>& options,
                                        const std::vector<Criterion>& criteria);

}  // namespace bitpilot
