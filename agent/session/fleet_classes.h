// Which boards of a fleet file a search measures on, by class.
#pragma once

#include <optional>
#include <string>

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

// "class 'avx2': bench-1, bench-2 (AMD EPYC, avx2)": who is listed for a class and what they are like; of
// a model board that it measures nothing.
//
// like: any board of the class.
std::string DescribeClass(const FleetClasses& fleet, const ClassId& on, const BoardInfo& like);

}  // namespace bitpilot
