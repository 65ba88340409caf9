#include "agent/model/float_formats.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace bitpilot {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are copied byte for byte");

template <typename Element, typename Convert>
std::vector<float> Converted(std::string_view bytes, Convert convert) {
  std::vector<float> values(bytes.size() / sizeof(Element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Element element;
    std::memcpy(&element, bytes.data() + i * sizeof(Element), sizeof(Element));
    values[i] = convert(element);
  }
  return values;
}

}  // namespace

float FromFloat16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  const bool negative = (bits & 0x8000) != 0;
  if (exponent == 0x1f) {  // infinities and NaNs: the same bits in float's places
    return std::bit_cast<float>((negative ? 0xff800000U : 0x7f800000U) |
                                static_cast<std::uint32_t>(fraction) << 13);
  }
  // Below 2^-14 there is no implied one.
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -24)
                              : std::ldexp(static_cast<float>(0x400 | fraction), exponent - 25);
  return negative ? -magnitude : magnitude;
}

float FromBfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::optional<std::vector<float>> ToFloats(std::string_view dtype, std::string_view bytes) {
  if (dtype == "F32") return Converted<float>(bytes, [](float value) { return value; });
  if (dtype == "F16") return Converted<std::uint16_t>(bytes, FromFloat16);
  if (dtype == "BF16") return Converted<std::uint16_t>(bytes, FromBfloat16);
  if (dtype == "F64") {
    return Converted<double>(bytes, [](double value) { return static_cast<float>(value); });
  }
  return std::nullopt;
}

}  // namespace bitpilot
