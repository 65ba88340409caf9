// Checks of single fields that validation makes of many messages. Each error names the field, what was
// expected and what came.
#pragma once

#include <cstddef>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

Status CheckSize(std::string_view field, std::size_t expected, std::size_t got);
// A text of at most kMaxNameBytes.
Status CheckName(std::string_view field, std::string_view name);
Status CheckFinite(std::string_view field, double value);
// These two refuse what is not finite, too.
Status CheckPositive(std::string_view field, double value);
Status CheckNotNegative(std::string_view field, double value);

}  // namespace bitpilot
