// Which boards of a fleet file a search measures on, by class.
#pragma once

#include <optional>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct FleetClasses {
  std::vector<BoardAddress> boards;  // of at least one class; tags are the search's classes alone
  AgentKeys keys;
};

// The boards of ClassesOf(config). nullopt if `config` means one board: a local device, a model, a board
// that it names, or the only one of its fleet file.
//
// Errors: kInvalidArgument names a class without a board, with the tags that there are; `fast` or `cpu`
// with a fleet; ReadFleetFile()'s and ReadAgentKeys()'s.
Result<std::optional<FleetClasses>> FleetClassesOf(const SearchConfig& config);

}  // namespace bitpilot
