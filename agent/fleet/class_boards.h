// ClassBoards: the boards that a search measures on, by class: one board, or all boards of a fleet that
// have the class's tag. A class is known by its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Of a measurement that was started; never used again.
using MeasureNumber = std::uint64_t;

struct ClassAnswer {
  MeasureNumber number = 0;
  Measurement measurement;
  BoardInfo board;         // that gave it
  std::string board_name;  // as its user calls it
  // kUnavailable: all boards of the class were gone for too long, and nothing else is here. Only of boards
  // that were told to answer so (FleetClassOptions::answers_missing).
  Status failure = {};
};

class ClassBoards {
 public:
  // Ends what is under way and gives the leases back.
  virtual ~ClassBoards() = default;

  // One board of the class, for what is measured apart: each request is one board's, and two requests
  // are the same one's as long as that works.
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

  // An answer that is there already; nullopt if none is.
  //
  // Errors: as Board::FinishMeasure().
  virtual Result<std::optional<ClassAnswer>> TakeAnswer() = 0;
  // Waits for the next answer, of whatever class. Errors: the same. REQUIRES: something was started.
  virtual Result<ClassAnswer> WaitForAnswer() = 0;

  // The answer is in the study: its board may forget it.
  virtual void Recorded(MeasureNumber) {}

  // Gives up what was started: it is never answered.
  virtual void GiveUp() = 0;
};

}  // namespace bitpilot
