// Commands that are printed for people to paste.
#pragma once

#include <string>
#include <string_view>

namespace bitpilot {

// `text` as one word of a POSIX shell's command: itself, or in single quotes.
std::string ShellWord(std::string_view text);

}  // namespace bitpilot
