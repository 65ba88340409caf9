// The image that `bitpilotd bench` runs networks on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bitpilot {

// Bytes that use the whole range: times do not depend on them.
std::vector<std::uint8_t> BenchPixels(std::size_t num_bytes);

}  // namespace bitpilot
