// ClassBoards: the boards that a search measures on, by class: one board, or all boards of a fleet that
// have the class's tag. A class is known by its name.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Of a measurement that was started; never used again.
using MeasureNumber = std::uint64_t;

// A board that a fleet lists for a class.
struct ClassMember {
  enum class State : std::uint8_t {
    kAway,     // not there, at rest, or unlike the class
    kWaits,    // works, and is to be judged before it measures for the class
    kWorks,    // measures for the class, or does when another agent gives it back
    kLeftOut,  // was judged so: its lease was given back
  };
  std::string name;
  State state = State::kAway;
  std::optional<BoardInfo> info = {};  // nothing before its first lease
};

struct ClassAnswer {
  MeasureNumber number = 0;
  // Of a measurement that one board was asked for: that board is gone, and there is nothing else here.
  bool is_lost = false;
  Measurement measurement = {};
  BoardInfo board = {};         // that gave it
  std::string board_name = {};  // as its user calls it
  // kUnavailable: all boards of the class were gone for too long, and nothing else is here. Only of boards
  // that were told to answer so (FleetClassOptions::answers_missing).
  Status failure = {};
};

class ClassBoards {
 public:
  // Ends what is under way and gives the leases back.
  virtual ~ClassBoards() = default;

  // One board of the class, for what is measured apart: each request is one board's, and two requests
  // are the same one's as long as that works. Boards that wait to be judged are never asked.
  virtual Board& BoardOf(const std::string& on) = 0;

  // How many tickets the class takes in flight now, at least 1: also a class whose boards are all away
  // keeps one, which waits for them.
  virtual int Slots(const std::string& on) = 0;
  // How many measurements of the class may be started and not answered.
  virtual int MaxStarted(const std::string& on) = 0;
  // Any of the boards is on the machine that trains.
  virtual bool SharesThisMachine() = 0;

  // Starts a measurement on any board of the class. The networks must stay where they are until it is
  // answered.
  //
  // Errors: those of Board::StartMeasure().
  virtual Result<MeasureNumber> Start(const std::string& on, const MeasureJob& job) = 0;
  // The same on one board of the class: if it goes, or is none of the class any more, the answer is that it
  // is lost. Where a class is one board, on that.
  virtual Result<MeasureNumber> StartOn(const std::string& on, const std::string& board,
                                        const MeasureJob& job) {
    static_cast<void>(board);
    return Start(on, job);
  }
  // The same on one that waits to be judged, or was left out.
  virtual Result<MeasureNumber> StartToJudge(const std::string& on, const std::string& board,
                                             const MeasureJob& job) {
    return StartOn(on, board, job);
  }
  // Gives up one that was started: it is never answered.
  virtual void GiveUpOne(MeasureNumber) {}

  // Boards of a class that measure for it only after Judge(), in the fleet file's order; none of a class
  // that has but one, which needs no judgement.
  virtual std::vector<ClassMember> Members(const std::string&) { return {}; }
  // Settles whether a board measures for the class. why: it does not.
  //
  // board: as Members() gave it when that was decided. Of another machine that answers for it since this says
  // nothing: that one waits to be judged itself.
  virtual void Judge(const std::string&, const ClassMember& board, bool is_pooled,
                     const std::string& why) {
    static_cast<void>(board), static_cast<void>(is_pooled), static_cast<void>(why);
  }
  // Called every second or so by a request of BoardOf() that waits, so that boards which come meanwhile are
  // judged: it may call anything here but BoardOf()'s requests. What it fails with ends the request. Empty:
  // nobody is called.
  virtual void WhileWaiting(std::function<Status()>) {}
  // BoardOf() is this one from now on.
  virtual void Prefer(const std::string&, const std::string& board) { static_cast<void>(board); }

  // An answer that is there already; nullopt if none is.
  //
  // Errors: as Board::FinishMeasure().
  virtual Result<std::optional<ClassAnswer>> TakeAnswer() = 0;
  // Waits for the next answer, of whatever class; nullopt after a second or so in which none came, where
  // boards may come that wait to be judged. Errors: the same. REQUIRES: something was started.
  virtual Result<std::optional<ClassAnswer>> WaitForAnswer() = 0;

  // The answer is in the study: its board may forget it.
  virtual void Recorded(MeasureNumber) {}

  // Gives up what was started: it is never answered.
  virtual void GiveUp() = 0;
};

}  // namespace bitpilot
