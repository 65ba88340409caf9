// The rules of MeasurementRow, before a row is stored.
#pragma once

#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Errors: kInvalidArgument says which rule is broken. A store may have further ones (names of tiers
// and statuses).
Status ValidateMeasurement(const MeasurementRow& row);

}  // namespace bitpilot
