// OneBoard: a class of one board, which measures one candidate at a time.
#pragma once

#include <map>
#include <string>

#include "agent/fleet/class_boards.h"

namespace bitpilot {

class OneBoard final : public ClassBoards {
 public:
  // `board` must outlive the object. shares_this_machine: nothing trains while it measures.
  OneBoard(Board& board, bool shares_this_machine)
      : board_(board), shares_this_machine_(shares_this_machine) {}

  Board& BoardOf(const std::string&) override { return board_; }
  // A board of its own takes one candidate ahead while it measures another.
  int Slots(const std::string&) override { return shares_this_machine_ ? 1 : 2; }
  int MaxStarted(const std::string&) override { return 1; }
  bool SharesThisMachine() override { return shares_this_machine_; }
  Result<MeasureNumber> Start(const std::string& on, const MeasureJob& job) override;
  Result<std::optional<ClassAnswer>> TakeAnswer() override {
    return std::optional<ClassAnswer>();  // a board does not tell without waiting
  }
  Result<std::optional<ClassAnswer>> WaitForAnswer() override;
  void Recorded(MeasureNumber number) override;
  void GiveUp() override;

 private:
  Board& board_;
  const bool shares_this_machine_;
  MeasureNumber last_ = 0;
  std::map<MeasureNumber, std::string> unrecorded_;  // measure ids
  bool is_started_ = false;
};

}  // namespace bitpilot
