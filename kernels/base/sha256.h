// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bitpilot {

using Sha256Digest = std::array<std::uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  void Update(std::string_view bytes);
  void Update(const void* data, std::size_t size) {
    Update(std::string_view(static_cast<const char*>(data), size));
  }
  // Ends the hash; the object must not be used again.
  Sha256Digest Finish();

 private:
  void Compress(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_;
  std::array<std::uint8_t, 64> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t total_bytes_ = 0;
};

Sha256Digest ComputeSha256(std::string_view bytes);
std::string ToHex(const Sha256Digest& digest);
std::string Sha256Hex(std::string_view bytes);

// Two digits a byte, lower case.
std::string BytesToHex(std::string_view bytes);
// REQUIRES: what BytesToHex() gives.
std::string HexToBytes(std::string_view hex);

}  // namespace bitpilot
