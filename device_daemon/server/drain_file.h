// Whether this board is drained, on its disk: it stays so over a restart.
#pragma once

#include <optional>
#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// The reason; nothing if the board is not drained.
//
// Errors: as ReadFile(), but for a file that is not there.
Result<std::optional<std::string>> ReadDrain(const std::string& store_folder);

// Durable once it returns OK. reason: nothing: not drained any more.
Status WriteDrain(const std::string& store_folder, const std::optional<std::string>& reason);

}  // namespace bitpilot
