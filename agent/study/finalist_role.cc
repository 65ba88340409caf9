#include "agent/study/finalist_role.h"

#include <array>
#include <cstddef>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

constexpr std::array<std::string_view, 5> kRoles = {"uniform 8 bit", "uniform 4 bit", "ilp start",
                                                    "front", "class front"};
constexpr std::array<std::string_view, 3> kStarts = {"calibrated", "search", "twin"};

template <typename T, std::size_t N>
Result<T> Find(std::string_view word, const std::array<std::string_view, N>& words) {
  for (std::size_t i = 0; i < N; ++i) {
    if (words[i] == word) return static_cast<T>(i);
  }
  return DataCorrupt("expected one of " + Joined(words) + ", got " + std::string(word));
}

}  // namespace

std::string_view ToString(FinalistRole role) { return kRoles[static_cast<std::size_t>(role)]; }

Result<FinalistRole> ParseFinalistRole(std::string_view word) {
  return Find<FinalistRole>(word, kRoles);
}

bool IsReference(FinalistRole role) {
  return role == FinalistRole::kUniform8 || role == FinalistRole::kUniform4;
}

bool IsFound(FinalistRole role) {
  return role == FinalistRole::kFront || role == FinalistRole::kClassFront;
}

std::string LabelOf(FinalistRole role, int number) {
  const std::string word(ToString(role));
  return IsFound(role) ? word + " " + std::to_string(number) : word;
}

std::string_view ToString(TrainingStart start) { return kStarts[static_cast<std::size_t>(start)]; }

Result<TrainingStart> ParseTrainingStart(std::string_view word) {
  return Find<TrainingStart>(word, kStarts);
}

}  // namespace bitpilot
