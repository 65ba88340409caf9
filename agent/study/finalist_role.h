// What a row of the table that ends a search is, and where its final training began. Code asks
// these two, and never reads a label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

enum class FinalistRole : std::uint8_t {
  kUniform8,        // what all rows are compared with
  kUniform4,        //
  kIntegerProgram,  // of the integer program's answers the best measured one, else one of them
  kFront,           // a member of the front that the search found
  kClassFront,      // of the front of one of several classes, and not of that
};

// Members of the front in the table at most.
inline constexpr std::size_t kMaxFrontFinalists = 8;
// Rows that the front of one of several classes adds to them at most.
inline constexpr std::size_t kMaxClassFrontFinalists = 4;

// "uniform 8 bit", "uniform 4 bit", "ilp start", "front", "class front".
std::string_view ToString(FinalistRole role);

// Errors: kDataCorrupt lists the known words.
Result<FinalistRole> ParseFinalistRole(std::string_view word);

// Uniform 8 and 4 bit: there to compare with, found by nobody.
bool IsReference(FinalistRole role);

// Found by the search: on its front, or on that of one of several classes.
bool IsFound(FinalistRole role);

// For people: the role, of a member of a front with its number ("front 3").
std::string LabelOf(FinalistRole role, int number);

enum class TrainingStart : std::uint8_t {
  kCalibrated,  // the float weights: nothing trained them
  kSearch,      // a place of the search
  kTwin,        // where uniform 8 bit ended that trained alone
};

// "calibrated", "search", "twin".
std::string_view ToString(TrainingStart start);

// Errors: as above.
Result<TrainingStart> ParseTrainingStart(std::string_view word);

}  // namespace bitpilot
