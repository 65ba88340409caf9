// The classes of a fleet, whose boards measure in parallel: FleetDriver schedules, tries again,
// quarantines, and leaves out what is unlike its class (agent/fleet/fleet_core.h).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/class_boards.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct FleetClasses {
  std::vector<BoardAddress> boards;  // their tags are classes
  AgentKeys keys;
};

struct FleetClassOptions {
  std::function<bool()> stop;                      // polled while waiting
  std::function<void(const std::string&)> notice;  // what people should know
  std::function<void(const std::string&)>
      detail;             // each of what a notice said in one line; may be empty
  LeaseTerms lease = {};  // of every board
  // How long a class may be without a board that works; nothing: for ever.
  std::optional<std::chrono::milliseconds> max_wait;
  // What no board of its class could do for max_wait is answered so (ClassAnswer::failure), instead of
  // ending the search. Of a class that is in `expected` that holds from the begin on: it needs no board then.
  bool answers_missing = false;
  // A board's job is given to another one when it has been away for so long; so is what ClassBoards::BoardOf()
  // is asked.
  std::chrono::milliseconds move_after{20'000};
  // How long to wait for boards that were not heard of yet, beyond the first of each class: after an
  // earlier run of the agent, one of them may know what is asked for first.
  std::chrono::milliseconds hear_all{0};
  // What boards of each class must be like; nothing: like most of those that come first.
  std::map<std::string, BoardInfo> expected;
};

// Tickets in flight of a class at most.
inline constexpr int kMaxClassSlots = 16;

// Connects, and waits until each of the classes `tags` has a board. A class has as many slots as boards
// that work, a class of one board two. Boards of a class for which two or more are listed measure for it
// after ClassBoards::Judge() alone.
//
// Errors:
//   kUnavailable  a class has had none for max_wait, or all of its boards refused; says which and why.
//   kVersionMismatch  no board of a class is like FleetClassOptions::expected; names each with what differs.
//   kAborted      options.stop returned true.
Result<std::unique_ptr<ClassBoards>> OpenFleetClasses(const FleetClasses& classes,
                                                      const std::vector<std::string>& tags,
                                                      const FleetClassOptions& options);

}  // namespace bitpilot
