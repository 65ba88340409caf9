// The highest lease epoch that this board ever granted, on its disk: fencing must survive a
// restart.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// 0 on a new board.
//
// Errors: kDataCorrupt names a damaged file, which must not bring old epochs back.
Result<std::uint64_t> ReadLeaseEpoch(const std::string& store_folder);

// Durable once it returns OK.
Status WriteLeaseEpoch(const std::string& store_folder, std::uint64_t epoch);

}  // namespace bitpilot
