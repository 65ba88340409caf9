// CRC-32 of ArtifactChunk, so that a damaged chunk is named at once instead of a wrong hash at the
// end.
#pragma once

#include <cstdint>
#include <string_view>

namespace bitpilot {

// CRC-32 as in IEEE 802.3 and zlib: reflected polynomial 0xEDB88320, initial value and final XOR
// 0xFFFFFFFF.
std::uint32_t Crc32(std::string_view bytes);

}  // namespace bitpilot
