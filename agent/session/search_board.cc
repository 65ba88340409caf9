#include "agent/session/search_board.h"

#include <string>

#include "kernels/cpu/isa.h"

namespace bitpilot {

Status CheckSameBoard(const BoardInfo& logged, const BoardInfo& board, bool searches_energy) {
  const auto compare = [](const std::string& what, const std::string& was, const std::string& is) {
    if (was == is) return Status();
    return Status(StatusCode::kVersionMismatch,
                  "the study began with " + what + " \"" + was + "\", the board now has \"" + is +
                      "\": their measurements cannot be mixed; start a new study");
  };
  BITPILOT_RETURN_IF_ERROR(compare("kernel build", logged.kernel_build, board.kernel_build));
  BITPILOT_RETURN_IF_ERROR(compare("backend", logged.backend, board.backend));
  BITPILOT_RETURN_IF_ERROR(compare("instruction set", logged.isa, board.isa));
  BITPILOT_RETURN_IF_ERROR(compare("CPU", logged.cpu_model, board.cpu_model));
  if (!logged.core.empty()) {
    BITPILOT_RETURN_IF_ERROR(compare("core", logged.core, board.core));
  }
  if (searches_energy) {
    BITPILOT_RETURN_IF_ERROR(compare("energy source", logged.energy.source, board.energy.source));
  }
  return Status();
}

bool IsRestrictedLocal(const SearchConfig& config) { return config.device.starts_with("local:"); }

bool HasFullIsa(const BoardInfo& board) {
  const Result<Isa> isa = DefaultIsa();
  return isa.ok() && board.isa == ToString(*isa);
}

}  // namespace bitpilot
