#include "policies/origin.h"

#include <array>
#include <cstddef>
#include <string>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

constexpr std::array<std::string_view, 10> kWords = {"unknown",
                                                     "integer program",
                                                     "neighbour of the front",
                                                     "crossover of the front",
                                                     "neighbour of the incumbent",
                                                     "Thompson sample",
                                                     "nearest choice that was not seen",
                                                     "uniform",
                                                     "random",
                                                     "planned"};

}  // namespace

std::string_view ToString(Origin origin) { return kWords.at(static_cast<std::size_t>(origin)); }

Result<Origin> ParseOrigin(std::string_view word) {
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    if (kWords[i] == word) return static_cast<Origin>(i);
  }
  return DataCorrupt("unknown origin \"" + std::string(word) + "\"; known: " + Joined(kWords));
}

}  // namespace bitpilot
