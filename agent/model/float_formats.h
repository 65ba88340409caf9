// Floating-point formats of weight files, as float.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace bitpilot {

// IEEE 754 binary16 ("F16"); exact.
float FromFloat16(std::uint16_t bits);

// The upper half of a float ("BF16"); exact.
float FromBfloat16(std::uint16_t bits);

// `bytes` (little-endian, whole elements) as floats, or none if `dtype` is not F16, BF16, F32 or
// F64. F64 is rounded; what is too large for a float becomes an infinity.
std::optional<std::vector<float>> ToFloats(std::string_view dtype, std::string_view bytes);

}  // namespace bitpilot
