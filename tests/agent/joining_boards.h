// Boards of one class that come when they are told to, and for which one model board
// answers.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/class_boards.h"

namespace bitpilot {

class JoiningBoards final : public ClassBoards {
 public:
  struct Joining {
    std::string name;
    ClassMember::State state = ClassMember::State::kAway;
    // How often WaitForAnswer() finds nothing of it first; -1: always.
    int polls = 0;
  };

  // The first board is there. others: away.
  //
  // one: of which each answer is.
  JoiningBoards(ClassBoards& one, bool shares_this_machine, std::vector<Joining> others)
      : one_(one), shares_this_machine_(shares_this_machine) {
    boards_.push_back({"first", ClassMember::State::kWaits});
    for (Joining& other : others) boards_.push_back(std::move(other));
  }
  void Come(const std::string& board) { Find(board).state = ClassMember::State::kWaits; }
  void Go(const std::string& board) { Find(board).state = ClassMember::State::kAway; }
  bool Measures(const std::string& board) {
    return Find(board).state == ClassMember::State::kWorks;
  }
  // Of WaitForAnswer(), in which there was no answer.
  int num_waits() const { return num_waits_; }

  Board& BoardOf(const std::string& on) override { return one_.BoardOf(on); }
  int Slots(const std::string&) override { return 1; }
  int MaxStarted(const std::string&) override { return 1; }
  bool SharesThisMachine() override { return shares_this_machine_; }
  Result<MeasureNumber> Start(const std::string& on, const MeasureJob& job) override {
    return StartOn(on, "first", job);
  }
  Result<MeasureNumber> StartOn(const std::string&, const std::string& board,
                                const MeasureJob& job) override {
    started_.push_back({++last_, board, job, Find(board).polls});
    return last_;
  }
  void GiveUpOne(MeasureNumber number) override {
    std::erase_if(started_, [&](const Started& each) { return each.number == number; });
  }
  std::vector<ClassMember> Members(const std::string& on) override {
    std::vector<ClassMember> members;
    for (const Joining& board : boards_) {
      members.push_back({board.name, board.state, one_.BoardOf(on).info()});
    }
    return members;
  }
  void Judge(const std::string&, const ClassMember& board, bool is_pooled,
             const std::string&) override {
    Find(board.name).state = is_pooled ? ClassMember::State::kWorks : ClassMember::State::kLeftOut;
  }
  Result<std::optional<ClassAnswer>> TakeAnswer() override { return std::optional<ClassAnswer>(); }
  Result<std::optional<ClassAnswer>> WaitForAnswer() override {
    const auto next = std::find_if(started_.begin(), started_.end(),
                                   [](const Started& each) { return each.polls == 0; });
    if (next == started_.end()) {
      ++num_waits_;
      for (Started& each : started_) each.polls -= each.polls > 0 ? 1 : 0;
      return std::optional<ClassAnswer>();
    }
    const Started asked = *next;
    started_.erase(next);
    const Result<MeasureNumber> number = one_.Start("", asked.job);
    if (!number.ok()) return number.status();
    Result<std::optional<ClassAnswer>> answer = one_.WaitForAnswer();
    if (!answer.ok()) return answer.status();
    one_.Recorded((*answer)->number);
    (*answer)->number = asked.number;
    (*answer)->board_name = asked.board;
    return answer;
  }
  void GiveUp() override { started_.clear(); }

 private:
  struct Started {
    MeasureNumber number;
    std::string board;
    MeasureJob job;
    int polls;
  };
  Joining& Find(const std::string& name) {
    return *std::find_if(boards_.begin(), boards_.end(),
                         [&](const Joining& board) { return board.name == name; });
  }

  ClassBoards& one_;
  const bool shares_this_machine_;
  std::vector<Joining> boards_;
  std::deque<Started> started_;
  MeasureNumber last_ = 0;
  int num_waits_ = 0;
};

}  // namespace bitpilot
