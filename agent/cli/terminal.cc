#include "agent/cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

bool IsBegin(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }

std::size_t NumCharacters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), IsBegin));
}

}  // namespace

std::size_t TerminalColumns(int descriptor) {
  constexpr std::size_t kUnknown = 80;
  winsize size{};
  const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return known ? size.ws_col : kUnknown;
}

std::size_t TerminalRows(int descriptor) {
  constexpr std::size_t kUnknown = 24;
  winsize size{};
  const bool known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 1;
  return known ? size.ws_row : kUnknown;
}

std::string OneLine(const std::string& text, std::size_t columns) {
  std::string line;
  std::size_t taken = 0;
  for (const char byte : WithoutControls(text)) {
    if (IsBegin(byte) && taken++ == columns) break;
    line += byte;
  }
  return line;
}

std::vector<std::string> TableLines(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells = rows;
  std::vector<std::size_t> widths;
  for (std::vector<std::string>& row : cells) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = OneLine(row[i], row[i].size());
      widths[i] = std::max(widths[i], NumCharacters(row[i]));
    }
  }
  std::vector<std::string> lines;
  for (const std::vector<std::string>& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - NumCharacters(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

void PrintTable(const std::vector<std::vector<std::string>>& rows) {
  for (const std::string& line : TableLines(rows)) std::printf("%s\n", line.c_str());
}

TerminalScreen::TerminalScreen()
    : has_keys_(isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &before_) == 0) {
  // A screen of its own, without a cursor.
  std::fputs("\033[?1049h\033[?25l", stdout);
  TakeKeys();
}

TerminalScreen::~TerminalScreen() {
  if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  std::fputs("\033[?25h\033[?1049l", stdout);
  std::fflush(stdout);
}

// Ctrl-C and Ctrl-Z stay signals.
void TerminalScreen::TakeKeys() const {
  if (!has_keys_) return;
  termios mode = before_;
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  mode.c_cc[VMIN] = 0;
  mode.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSANOW, &mode);
}

void TerminalScreen::Draw(const std::vector<std::string>& lines) {
  TakeKeys();  // again: a shell that had the terminal meanwhile set it as it likes
  const std::size_t columns = TerminalColumns(STDOUT_FILENO);
  const std::size_t num_lines = std::min(lines.size(), TerminalRows(STDOUT_FILENO) - 1);
  std::string text = "\033[H";
  for (std::size_t i = 0; i < num_lines; ++i) {
    text += OneLine(lines[i], columns - 1) + "\033[K\r\n";
  }
  text += "\033[J";
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

bool TerminalScreen::QuitPressed() {
  // Of a shell's background job reading would stop the program.
  const bool reads = has_keys_ && tcgetpgrp(STDIN_FILENO) == getpgrp();
  pollfd keys{STDIN_FILENO, POLLIN, 0};
  char key = 0;
  while (reads && poll(&keys, 1, 0) == 1 && read(STDIN_FILENO, &key, 1) == 1) {
    quit_ = quit_ || key == 'q' || key == 'Q';
  }
  return quit_;
}

}  // namespace bitpilot
