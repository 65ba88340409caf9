// An event's payload as the log has it, and how a study takes an event.
#pragma once

#include <string>
#include <string_view>

#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One JSON object on one line. Defined for every event, for MeasurementConditions and for BoardInfo
// (MeasurementRow::board).
//
// REQUIRES: every double is finite: JSON has no other.
template <typename T>
std::string ToJson(const T& value);

// Errors:
//   kDataCorrupt  not JSON, a key that is missing or has the wrong type; names the key.
template <typename T>
Result<T> ParseEvent(std::string_view payload);

// Appends `event` under its own kind. Not for kinds that Study writes itself.
template <typename T>
Status AppendEvent(Study& study, const T& event) {
  return study.Append(std::string(T::kKind), ToJson(event));
}

}  // namespace bitpilot
