// CPU class: what training repeats exactly on.
#pragma once

#include <string>

namespace bitpilot {

// Vendor, family, model, instruction flags and cache sizes of this machine and the versions of the
// libraries that train (LibTorch, oneDNN, BLAS), in one line. Two machines with the same line train
// to the same bits on one thread.
std::string CpuClass();

// Restricts this process to all CPUs but the last one that it may use, which bitpilotd's worker
// takes: a board on the training machine is then disturbed least. Does nothing on one CPU.
void LeaveLastCpuToTheBoard();

}  // namespace bitpilot
