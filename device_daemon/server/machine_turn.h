// Turns: of all daemons of a machine, at most one measures at a time. Even on different CPUs they
// share heat, supply and memory, so each would disturb the other. Inference takes no turn: nothing of
// it is measured, and nobody should wait minutes for logits.
//
// A turn is a lock (flock) on a file in a folder that every user can write to, which ends with the
// process that holds it. Nothing is ever written to or read from the file, so it does not matter
// whose it is. Whoever waits holds a second lock, the queue's: a daemon that has just measured
// cannot take the next turn before one that waits. Containers that do not share the folder do not
// see each other.
#pragma once

#include <string>
#include <vector>

namespace bitpilot {

class MachineTurn {
 public:
  // folders: the first one that is there and can be written to is used.
  explicit MachineTurn(std::vector<std::string> folders = {"/run/lock", "/tmp"});
  ~MachineTurn() { GiveBack(); }
  MachineTurn(const MachineTurn&) = delete;
  MachineTurn& operator=(const MachineTurn&) = delete;

  // True if the turn is ours, from now on or already. False: another daemon has it; ask again in a
  // moment, which keeps our place in the queue. Where no lock can be had there are no turns: true,
  // and problem() says why.
  bool TryTake();

  // Ends the turn, or the wait for it.
  void GiveBack();

  // Why daemons cannot take turns; empty if they can.
  const std::string& problem() const { return problem_; }

 private:
  enum class Lock { kOurs, kTaken, kNone };
  Lock TryLock(const char* name, int& descriptor);
  // The file, or -1 with problem_.
  int Open(const char* name, std::string& path);

  const std::vector<std::string> folders_;
  int turn_ = -1;
  int queue_ = -1;
  std::string problem_;
};

}  // namespace bitpilot
