#include "kernels/base/quoted.h"

#include <algorithm>

namespace bitpilot {
namespace {

bool IsPrintableByte(char c) { return c >= ' ' && c <= '~'; }

}  // namespace

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), IsPrintableByte);
}

std::string Quoted(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string quoted = "'";
  for (const char c : text.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      quoted += "\\\\";
    } else if (IsPrintableByte(c)) {
      quoted += c;
    } else {
      quoted += "\\x";
      quoted += kDigits[byte / 16];
      quoted += kDigits[byte % 16];
    }
  }
  quoted += '\'';
  if (text.size() > max_bytes) quoted += "... (" + std::to_string(text.size()) + " bytes)";
  return quoted;
}

}  // namespace bitpilot
