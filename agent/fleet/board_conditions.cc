#include "agent/fleet/board_conditions.h"

#include <array>
#include <string_view>
#include <utility>

#include "agent/fleet/board.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

constexpr std::size_t kDigits = 12;

using Part = std::pair<std::string_view, std::string>;

constexpr std::string_view kModelSource = "model source";

std::array<Part, 13> PartsOf(const BoardInfo& board) {
  return {{{"board", board.name},
           {"CPU", board.cpu_model},
           {"instruction set", board.isa},
           {"number of CPUs", std::to_string(board.cpu_count)},
           {"architecture", board.architecture},
           {"system", board.os},
           {"governor", board.governor},
           {"daemon build", board.daemon_build},
           {"kernel build", board.kernel_build},
           {"backend", board.backend},
           {kModelSource, board.model_source},
           {"machine that trains", board.shares_agent_host ? "this one" : "another one"},
           {"core", board.core}}};
}

}  // namespace

std::string FingerprintOf(const BoardInfo& board) {
  std::string text;
  for (const auto& [name, value] : PartsOf(board)) text += value + '\0';
  // A board without a core, as a model is, has the fingerprint that it always had.
  if (board.core.empty()) text.pop_back();
  return Sha256Hex(text).substr(0, kDigits);
}

std::string FingerprintOf(const BoardInfo& board, const BoardConditions& conditions) {
  BoardInfo then = board;
  if (!conditions.governor.empty()) then.governor = conditions.governor;
  return FingerprintOf(then);
}

std::string ClassFingerprintOf(const BoardInfo& board) {
  BoardInfo nameless = board;
  nameless.name.clear();
  return FingerprintOf(nameless);
}

std::string DescribeFingerprintChange(const BoardInfo& before, const BoardInfo& now) {
  const auto was = PartsOf(before);
  const auto is = PartsOf(now);
  std::string text;
  for (std::size_t i = 0; i < is.size(); ++i) {
    if (was[i].second == is[i].second) continue;
    // Another table has another source: a sentence each, of which nobody needs to know here.
    if (is[i].first == kModelSource && before.backend != now.backend) continue;
    text += (text.empty() ? "" : "; ") + std::string(is[i].first) + " is " +
            (is[i].second.empty() ? "not told" : is[i].second) + ", was " +
            (was[i].second.empty() ? "not told" : was[i].second);
  }
  return text;
}

}  // namespace bitpilot
