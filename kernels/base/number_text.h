// Numbers as users write them in flags: the whole text, decimal, finite, inside a range.
//
// What command-line parsers do with numbers is not fit for settings that a study records: they
// saturate (2^64 becomes 2^64 - 1), take "inf", and read 010 as 8.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// `text` as a number in [min, max]; T is std::int64_t, std::uint64_t or double. Leading zeros do
// not change what a number means. There is no way to write an infinity.
//
// Errors: kInvalidArgument: "expected a whole number in 1..8, got '0x4'".
template <typename T>
Result<T> ParseNumber(std::string_view text, T min, T max = std::numeric_limits<T>::max());

// "1..8", or ">= 1" without an upper end: for help texts.
template <typename T>
std::string NumberRange(T min, T max = std::numeric_limits<T>::max());

// "1 agent", "0 agents", "2 agents"; of words that take no -s, `many` is given: "2 mini-batches".
std::string Counted(std::int64_t count, std::string_view one, std::string_view many = {});

// ParseNumber() as a check of a flag's text: returns the error, or an empty text and writes the
// number in its plain form, which every parser reads alike.
template <typename T>
std::function<std::string(std::string&)> NumberCheck(T min, T max = std::numeric_limits<T>::max());

}  // namespace bitpilot
