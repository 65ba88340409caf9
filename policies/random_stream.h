// RandomStream: random numbers that are the same on every machine and can be saved in the middle.
//
// One root seed feeds any number of named streams, so that what one part draws never shifts what
// another one sees. The standard library's distributions are not used: each implementation maps
// bits to numbers in its own way.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// xoshiro256**, seeded by SplitMix64 from the root seed, the stream's name and a counter. Not
// thread-safe.
//
// Source: Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 2021,
// arXiv:1805.01407.
class RandomStream {
 public:
  // Streams with different names or counters are independent. `counter` numbers uses of one name,
  // e.g. the decision that draws: a decision's numbers then do not depend on how many the one
  // before it drew.
  RandomStream(std::uint64_t root_seed, std::string_view name, std::uint64_t counter = 0);

  std::uint64_t NextBits();

  // In [0, 1), a multiple of 2^-53.
  double NextUniform();

  // In [0, count), every index equally likely. REQUIRES: count >= 1.
  int NextIndex(int count);

  // Normally distributed, mean 0, variance 1 (Marsaglia's polar method, policies/plain_math.h).
  double NextNormal();

  // The stream's state: 64 hex digits. Load() of it continues exactly where Save() was called.
  std::string Save() const;

  // Errors: kDataCorrupt if `text` is not 64 hex digits, or all zeros; the stream is unchanged.
  Status Load(std::string_view text);

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace bitpilot
