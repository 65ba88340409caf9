// What the commands know of terminals.
#pragma once

#include <termios.h>

#include <cstddef>
#include <string>
#include <vector>

namespace bitpilot {

// Of the terminal at this descriptor; 80 and 24 where there is none or it does not tell.
std::size_t TerminalColumns(int descriptor);
std::size_t TerminalRows(int descriptor);

// At most `columns` characters of `text`, none of which moves the cursor: for what boards and other
// agents said.
std::string OneLine(const std::string& text, std::size_t columns);

// Lines of columns that are as wide as their widest cell, two spaces apart; cells are made OneLine().
std::vector<std::string> TableLines(const std::vector<std::vector<std::string>>& rows);
// On standard output.
void PrintTable(const std::vector<std::vector<std::string>>& rows);

// The whole terminal, for something that is drawn again and again, with keys that need no Enter. What
// was there before comes back when this object ends. One at a time.
class TerminalScreen {
 public:
  TerminalScreen();
  ~TerminalScreen();
  TerminalScreen(const TerminalScreen&) = delete;
  TerminalScreen& operator=(const TerminalScreen&) = delete;

  // Draws over what was drawn before; what does not fit is cut off.
  void Draw(const std::vector<std::string>& lines);

  // True from the first 'q' on.
  bool QuitPressed();

 private:
  void TakeKeys() const;

  termios before_{};  // above has_keys_, whose initialization fills it
  const bool has_keys_;
  bool quit_ = false;
};

}  // namespace bitpilot
