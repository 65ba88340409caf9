// Little-endian fields to and from bytes: what binary files are written with.
//
// u8, u32, u64, i32 (two's complement), f32 (IEEE 754 binary32); text = u16 length, then its bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/check.h"

namespace bitpilot {

// Appends fields to a string.
class ByteWriter {
 public:
  void U8(int value) { bytes_ += static_cast<char>(value); }
  void U32(std::uint32_t value) { Little(value, 4); }
  void I32(int value) { Little(static_cast<std::uint32_t>(value), 4); }
  void U64(std::uint64_t value) { Little(value, 8); }
  void F32(float value) { U32(std::bit_cast<std::uint32_t>(value)); }
  void Text(std::string_view text) {
    BITPILOT_CHECK(text.size() <= 0xffff);
    Little(text.size(), 2);
    bytes_ += text;
  }
  void Bytes(std::string_view bytes) { bytes_ += bytes; }
  void Bytes(const std::vector<std::uint8_t>& bytes) { bytes_.append(bytes.begin(), bytes.end()); }
  std::string& bytes() { return bytes_; }

 private:
  void Little(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }

  std::string bytes_;
};

// Reads fields in order. After the first read past the end every read gives 0 and ok() is false, so
// that callers check once per group of fields.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  // Bytes not read yet: check it before allocating what a size field promises.
  std::size_t remaining() const { return rest_.size(); }

  std::uint8_t U8() { return static_cast<std::uint8_t>(Little(1)); }
  int I32() { return static_cast<int>(static_cast<std::uint32_t>(Little(4))); }
  std::uint64_t U64() { return Little(8); }
  float F32() { return std::bit_cast<float>(static_cast<std::uint32_t>(Little(4))); }
  std::string Text() { return std::string(Bytes(static_cast<std::size_t>(Little(2)))); }

  std::string_view Bytes(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
    }
    if (!ok_) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

 private:
  std::uint64_t Little(std::size_t size) {
    const std::string_view bytes = Bytes(size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
    }
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace bitpilot
