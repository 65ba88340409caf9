// Origin: which part of a policy a proposal came from. Logged and compared by replays; the reason
// beside it is prose for people.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

enum class Origin : std::uint8_t {
  kUnknown,  // not said
  kIntegerProgram,
  kFrontNeighbour,
  kFrontCrossover,
  kIncumbentNeighbour,
  kThompsonSample,
  kNearestUnseen,
  kUniform,
  kRandom,
  kPlanned,  // by what the rest of the search is expected to make of it
};

// In words, as logs have it: "integer program", "neighbour of the front", ...
std::string_view ToString(Origin origin);

// Errors: kDataCorrupt lists the known words.
Result<Origin> ParseOrigin(std::string_view word);

}  // namespace bitpilot
