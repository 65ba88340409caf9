// Network files built around a given body: header and checksum fit it, so that only the body can be
// at fault.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/base/sha256.h"

namespace bitpilot {

inline std::string LittleEndian(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

inline std::string NetworkFileOf(std::string_view body) {
  std::string bytes = "BPNET1\r\n" + LittleEndian(body.size(), 8) + std::string(body);
  const Sha256Digest digest = ComputeSha256(bytes);
  bytes.append(digest.begin(), digest.end());
  return bytes;
}

inline std::string BodyOf(const std::string& file) {
  return file.substr(16, file.size() - 16 - 32);
}

}  // namespace bitpilot
