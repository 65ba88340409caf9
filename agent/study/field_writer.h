// FieldWriter: a row's fields as bytes without ambiguity: each with its length in front, doubles by
// their bits, so that no two rows have the same image.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bitpilot {

// Sink: has Update(std::string_view), which takes the next bytes.
template <typename Sink>
class FieldWriter {
 public:
  explicit FieldWriter(Sink& sink) : sink_(sink) {}

  FieldWriter& Add(std::int64_t value) {
    std::array<char, 8> bytes;
    auto bits = static_cast<std::uint64_t>(value);
    for (char& byte : bytes) {
      byte = static_cast<char>(bits & 0xff);
      bits >>= 8;
    }
    sink_.Update(std::string_view(bytes.data(), bytes.size()));
    return *this;
  }
  FieldWriter& Add(std::string_view text) {
    Add(static_cast<std::int64_t>(text.size()));
    sink_.Update(text);
    return *this;
  }
  FieldWriter& Add(double value) { return Add(std::bit_cast<std::int64_t>(value)); }
  FieldWriter& Add(const std::optional<double>& value) {
    Add(static_cast<std::int64_t>(value.has_value()));
    return value ? Add(*value) : *this;
  }
  FieldWriter& Add(const std::vector<double>& values) {
    Add(static_cast<std::int64_t>(values.size()));
    for (const double value : values) Add(value);
    return *this;
  }

 private:
  Sink& sink_;
};

// A sink that keeps the bytes.
struct FieldBytes {
  std::string bytes;
  void Update(std::string_view more) { bytes += more; }
};

}  // namespace bitpilot
