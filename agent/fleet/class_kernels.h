// Which kernels boards of a class run: what the first one that timed a layer found holds for all of them,
// and is kept from one run of the agent to the next.
//
// Choices are texts of KernelChoices::ToText() (kernels/runtime/kernel_choices.h), a heading and a line for
// every core and layer. Boards may have kernels of another build than this agent: lines are not understood
// here, only told apart.
#pragma once

#include <map>
#include <string>

#include "agent/fleet/board.h"

namespace bitpilot {

// Pure bookkeeping.
class ClassKernels {
 public:
  // Takes the lines of layers that are not known yet, as far as a request has room for them. Returns whether
  // there were some: none of another build than the first text's.
  bool Take(const std::string& choices);

  // All that is known; empty while nothing is.
  const std::string& text() const { return text_; }

 private:
  std::string heading_;
  std::map<std::string, std::string> lines_;  // by core and layer
  std::string text_;
};

// Of the class that `board` is like (ClassFingerprintOf(): kernels' build and kind of core included); empty
// if nothing is kept, or nowhere.
std::string ReadClassKernels(const BoardInfo& board);

// It is a cache: what cannot be kept is found again, which costs milliseconds a layer.
void KeepClassKernels(const BoardInfo& board, const std::string& text);

}  // namespace bitpilot
