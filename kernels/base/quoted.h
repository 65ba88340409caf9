// Quoted: text that somebody else wrote (a file, a program, a peer), as an error message shows it.
//
// Such text may hold anything, and messages end on terminals and in logs: bytes that a terminal
// would obey, and lines without end, must not get there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bitpilot {

// `text` in single quotes, e.g. 'op conv1'. Bytes other than printable ASCII are written \xNN, a
// backslash twice. Of a text of more than `max_bytes` only the beginning is shown, with the text's
// length behind it: 'op con'... (2000 bytes).
std::string Quoted(std::string_view text, std::size_t max_bytes = 120);

// Every character is printable ASCII (a space too).
bool IsPrintable(std::string_view text);

}  // namespace bitpilot
