// UTF-8, for text that may be none: names of files, arguments, what sensors are called.
//
// Linux takes any bytes for those. JSON, Protobuf and a study take UTF-8 only.
#pragma once

#include <string>
#include <string_view>

namespace bitpilot {

// Well-formed: no overlong forms, no surrogates, nothing above U+10FFFF.
bool IsUtf8(std::string_view text);

// `text` with U+FFFD in place of every byte that is no part of a character.
std::string ToUtf8(std::string_view text);

// ToUtf8(text) as one line that no terminal obeys: a space in place of every control character, U+0080 to
// U+009F among them. For what a peer said, in messages and logs.
std::string WithoutControls(std::string_view text);

// `text` without the U+FEFF that editors of Windows put at the beginning of files.
std::string_view WithoutByteOrderMark(std::string_view text);

}  // namespace bitpilot
