// What a process asks of the kernel about itself: ending with its parent, limits.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "kernels/base/status.h"

namespace bitpilot {

// Makes this process receive `signal` when `parent` ends; ends it at once if that happened already.
void DieWithParent(pid_t parent, int signal);

// Makes a write to a pipe or socket that nobody reads any more (a log behind `| head`, a terminal
// that was closed) fail, instead of ending this process.
void IgnoreBrokenPipes();

// Limits of the worker, which runs networks that came over the wire: no new privileges, no core
// dumps, no files beyond a log's size, at most `memory_bytes` of address space (not under
// sanitizers, whose shadow memory is larger). What it may read and call is EnterSandbox()'s.
Status ConfineWorker(std::uint64_t memory_bytes);

// The path of the running program.
std::string OwnProgramPath();

}  // namespace bitpilot
