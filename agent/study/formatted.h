// Text with numbers in it, for lines of a table.
#pragma once

#include <string>

namespace bitpilot {

// As std::printf() writes it, of any length.
[[gnu::format(printf, 1, 2)]] std::string Formatted(const char* format, ...);

}  // namespace bitpilot
