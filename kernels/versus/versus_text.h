// A against B in words, for both programs: one line a function, without its end.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/versus/paired_blocks.h"
#include "kernels/versus/versus.h"

namespace bitpilot {

enum class VersusQuantity : std::uint8_t { kTime, kEnergy };

// "two copies of A: 1.000x (0.998..1.003), 150 rounds: no difference, as it must be".
std::string DescribeSame(const PairVerdict& same, VersusQuantity quantity);

// "A to B: 0.623x (0.621..0.626), 144 rounds: A is faster", or that there is no verdict, and why.
std::string DescribeDifferent(const VersusVerdict& verdict, VersusQuantity quantity);

// "A takes 38.21 us, B 61.30 us".
std::string DescribeLatencies(const VersusLatencies& latencies);

// From which difference on one would have been found, and how often.
std::string DescribeSmallestDifference(const VersusVerdict& verdict);

// "faster", "slower" or "no difference"; of energies "less", "more" or "no difference".
std::string VersusWord(Speed speed, VersusQuantity quantity);

// Why a verdict is missing; empty where there is one.
std::string WhyNoVerdict(const VersusVerdict& verdict);

}  // namespace bitpilot
