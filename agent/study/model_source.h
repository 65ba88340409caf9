// Whether figures are a model board's: computed from a table, not measured.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/study/final_event.h"

namespace bitpilot {

// Of a measurement's source, "measured" or "MODEL:<table name>".
bool IsModelSource(std::string_view source);

// True if the row's ratio is a model's, or, of a mean over classes, that of any of them.
bool IsModelRow(const FinalEvent& final, const FinalRow& row);

// Who answered in place of a board: the source of the first row that a model gave; empty if none did.
std::string ModelSourceOf(const std::vector<FinalRow>& rows);

}  // namespace bitpilot
