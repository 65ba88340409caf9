// Whether figures are a model board's: computed from a table, not measured.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/study/events.h"

namespace bitpilot {

// Of a measurement's source, "measured" or "MODEL:<table name>".
bool IsModelSource(std::string_view source);

// Who answered in place of a board: the source of the first row that a model gave; empty if none did.
std::string ModelSourceOf(const std::vector<FinalRow>& rows);

}  // namespace bitpilot
