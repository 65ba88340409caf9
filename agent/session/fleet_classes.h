// Which boards of a fleet file a search measures on, by class.
#pragma once

#include <optional>

#include "agent/fleet/fleet_class_boards.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

// The boards of ClassesOf(config), with those tags alone. nullopt if `config` means one board: a local device, a model, a board
// that it names, or the only one of its fleet file.
//
// Errors: kInvalidArgument names a class without a board, with the tags that there are; `fast` or `cpu`
// with a fleet; ReadFleetFile()'s and ReadAgentKeys()'s.
Result<std::optional<FleetClasses>> FleetClassesOf(const SearchConfig& config);

}  // namespace bitpilot
