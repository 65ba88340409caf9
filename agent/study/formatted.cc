#include "agent/study/formatted.h"

#include <cstdarg>
#include <cstddef>
#include <cstdio>

#include "kernels/base/check.h"

namespace bitpilot {

std::string Formatted(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  std::va_list again;
  va_copy(again, arguments);
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  BITPILOT_CHECK(length >= 0);
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, again);
  va_end(again);
  text.pop_back();
  return text;
}

}  // namespace bitpilot
