#include "proto/field_checks.h"

#include <cmath>
#include <string>

#include "proto/validation.h"

namespace bitpilot {

Status CheckSize(std::string_view field, std::size_t expected, std::size_t got) {
  if (got == expected) return {};
  return InvalidArgument(std::string(field) + " has " + std::to_string(expected) + " bytes, got " +
                         std::to_string(got));
}

Status CheckName(std::string_view field, std::string_view name) {
  if (name.size() <= kMaxNameBytes) return {};
  return InvalidArgument(std::string(field) + " has at most " + std::to_string(kMaxNameBytes) +
                         " bytes, got " + std::to_string(name.size()));
}

Status CheckFinite(std::string_view field, double value) {
  if (std::isfinite(value)) return {};
  return InvalidArgument(std::string(field) + " must be finite, got " + std::to_string(value));
}

Status CheckPositive(std::string_view field, double value) {
  if (std::isfinite(value) && value > 0.0) return {};
  return InvalidArgument(std::string(field) + " must be finite and positive, got " +
                         std::to_string(value));
}

Status CheckNotNegative(std::string_view field, double value) {
  if (std::isfinite(value) && value >= 0.0) return {};
  return InvalidArgument(std::string(field) + " must be finite and not negative, got " +
                         std::to_string(value));
}

}  // namespace bitpilot
