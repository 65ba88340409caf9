// ProfilePlan: which networks a profile measures, so that every layer is met at every pair of
// widths.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Of the random weights that are measured: any, times do not depend on the data.
inline constexpr std::uint64_t kWeightSeed = 1;

// What the user asked for. Two profiles may share a file only if these are equal.
struct ProfileSettings {
  std::string model;      // a standard network's name, e.g. "resnet20"
  std::vector<int> bits;  // widths of weights and activations, ascending, each in [1, 8]
  bool quick = false;     // SCREEN instead of STANDARD measurements, and fewer of them
  bool bounded = false;   // for a search, which may end it after any job; quick, too
  friend bool operator==(const ProfileSettings&, const ProfileSettings&) = default;
};

// "2..8", "2,4,8" or "4".
//
// Errors: kInvalidArgument names --bits, what was expected and what came.
Result<std::vector<int>> ParseBitsList(const std::string& text);

// Networks that are measured together, in interleaved rounds with uniform 8 bit.
struct ProfileJob {
  std::vector<BitAssignment> assignments;
  bool is_check = false;  // not learned from: held back to test the table
};

struct ProfilePlan {
  Tier tier = Tier::kScreen;
  std::vector<ProfileJob> jobs;  // checks last
};

// Squares of mixed networks, ends included. With n widths, a square is n * n networks: tensor t has
// width p_t(column), layer l has width q_l(row), p and q random permutations. Whatever the
// permutations, each layer meets each pair (weights, activations) exactly once a square, the first
// layer (whose input always has 8 bits) each of its widths n times; and it meets them among other
// widths, as in the networks that the table is there to predict, not in uniform ones. The networks
// of a square are shuffled over its jobs.
//
// The checks are assignments with every width drawn independently.
//
// A bounded profile has no checks (the search measures whole networks anyway), fewer squares, and
// begins with a job of networks that have one width everywhere: wherever it ends, each layer was met
// at every width.
//
// The plan is a function of its arguments.
//
// REQUIRES: settings.bits as ParseBitsList() gives them.
ProfilePlan MakeProfilePlan(const Topology& topology, const ProfileSettings& settings);

// `count` assignments with each layer's and each tensor's width (but the input's) drawn
// independently from `bits`, ends included. The same seed gives the same ones on every machine.
std::vector<BitAssignment> RandomAssignments(const Topology& topology, const std::vector<int>& bits,
                                             int count, std::uint64_t seed);

}  // namespace bitpilot
