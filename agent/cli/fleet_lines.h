// Lines of fleet.toml, and commands that are printed for people to paste.
#pragma once

#include <string>

#include "agent/fleet/board.h"

namespace bitpilot {

// A folder as fleet.toml can name it, wherever that lies.
std::string AbsolutePath(const std::string& folder);

// `text`, which is UTF-8, as a string of a TOML file, on one line.
std::string TomlText(const std::string& text);

// The section of a board.
std::string BoardLines(const BoardAddress& board);

// For a board's shell, beside the folder that `bitpilotd keygen --keys board-keys` made.
std::string AuthorizeCommand(const AgentKeys& keys);

}  // namespace bitpilot
