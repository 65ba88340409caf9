#include "kernels/base/number_text.h"

#include <charconv>
#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

// The shortest text that reads back as `value`.
template <typename T>
std::string Plain(T value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

template <typename T>
std::string NumberRange(T min, T max) {
  if (max == std::numeric_limits<T>::max()) return ">= " + Plain(min);
  return Plain(min) + ".." + Plain(max);
}

template <typename T>
Result<T> ParseNumber(std::string_view text, T min, T max) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  // Written so that "nan" fails, too.
  if (error == std::errc() && stop == end && value >= min && value <= max) return value;
  const bool has_maximum = max != std::numeric_limits<T>::max();
  return InvalidArgument(
      std::string("expected a ") + (std::is_integral_v<T> ? "whole number" : "number") +
      (has_maximum
           ? " in " + NumberRange(min, max)
           : " of at least " + Plain(min) +
                 (error == std::errc::result_out_of_range ? " that a computer holds" : "")) +
      ", got " + Quoted(text));
}

template <typename T>
std::function<std::string(std::string&)> NumberCheck(T min, T max) {
  return [min, max](std::string& text) {
    const Result<T> value = ParseNumber(text, min, max);
    if (!value.ok()) return value.status().message();
    text = Plain(*value);
    return std::string();
  };
}

#define BITPILOT_NUMBER_TEXT(T)                              \
  template std::string NumberRange<T>(T, T);                 \
  template Result<T> ParseNumber<T>(std::string_view, T, T); \
  template std::function<std::string(std::string&)> NumberCheck<T>(T, T);
BITPILOT_NUMBER_TEXT(std::int64_t)
BITPILOT_NUMBER_TEXT(std::uint64_t)
BITPILOT_NUMBER_TEXT(double)
#undef BITPILOT_NUMBER_TEXT

std::string Counted(std::int64_t count, std::string_view one, std::string_view many) {
  std::string text = std::to_string(count) + " ";
  if (count == 1) return text.append(one);
  return many.empty() ? text.append(one) + "s" : text.append(many);
}

}  // namespace bitpilot
