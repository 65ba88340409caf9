// CPU class: what training repeats exactly on.
#pragma once

#include <optional>
#include <string>

namespace bitpilot {

// Vendor, family, model, instruction flags and cache sizes of this machine and the versions of the
// libraries that train (LibTorch, oneDNN, BLAS), in one line. Two machines with the same line train
// to the same bits on as many threads.
std::string CpuClass();

// Restricts this thread, and those that it starts, to all CPUs that it may use but the one that
// measures: a board on the training machine is then disturbed least. Does nothing if that would
// leave fewer than `threads`, which then compute only while nothing is measured, or if the board does
// not tell its CPU.
void LeaveToTheBoard(std::optional<int> cpu, int threads);

}  // namespace bitpilot
