#include "agent/cli/fleet_lines.h"

#include <cstdio>
#include <filesystem>
#include <system_error>

#include "kernels/base/host_name.h"
#include "kernels/base/shell_word.h"

namespace bitpilot {

std::string AbsolutePath(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(folder, error), error);
  return error ? folder : absolute.string();
}

std::string TomlText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[sizeof "\\u0000"];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string AuthorizeCommand(const AgentKeys& keys) {
  return "echo " + ShellWord(HostNameAsListName() + " " + keys.public_key) +
         " >> board-keys/authorized_agents";
}

std::string BoardLines(const BoardAddress& board) {
  std::string tags;
  for (const std::string& tag : board.tags) tags += (tags.empty() ? "" : ", ") + TomlText(tag);
  return "[[board]]\nname = " + TomlText(board.name) +
         (tags.empty() ? "" : "\ntags = [" + tags + "]") +
         (board.connects ? std::string("\nconnects = true")
                         : "\nendpoint = " + TomlText(board.endpoint)) +
         "\npublic_key = " + TomlText(board.public_key) + "\n";
}

}  // namespace bitpilot
