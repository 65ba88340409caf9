// Sandbox: what keeps the worker, which runs networks that came over the wire, from the daemon's
// secret key, from the daemon's memory, and from everything else that it does not need.
//
//   Landlock      the worker reads the store, /proc, /sys and the system's libraries, writes below
//                 the store's kWorkerFolder, and reaches no other file, whoever owns it
//   seccomp       no ptrace and its like, no signals to others, no processes, no sockets, no change
//                 of a file's rights, owner, attributes or times, no kernel interfaces that a
//                 measurement never uses
//   capabilities  a worker of root keeps only the right to reach files of other users
//   not dumpable  the daemon's memory belongs to root (HideOwnMemory())
//
// The last two are always there. `bitpilotd check` and the log of `serve` say what the kernel
// lacks of the first two.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct SandboxSupport {
  int landlock_version = 0;  // 0: the kernel has none, or it was not switched on at boot.
  bool has_seccomp = false;
};

SandboxSupport ProbeSandbox();

// What the worker could do for lack of kernel support, one sentence each; empty if nothing.
std::vector<std::string> SandboxGaps(const SandboxSupport& support);

// For the rest of this process's life, and for its children. What `support` does not have is left
// out. Sanitizer builds leave out seccomp: the leak sanitizer uses ptrace.
//
// REQUIRES: no new privileges were given up (prctl PR_SET_NO_NEW_PRIVS), one thread.
//
// Errors: kInternal names what the kernel refused; kNotFound if there is no `store_folder`, or no
// kWorkerFolder (kernels/runtime/kernel_choices.h) in it.
Status EnterSandbox(const std::string& store_folder, const SandboxSupport& support);

// The daemon's own part: other processes of its user cannot read its memory, and no core dump
// holds its key.
void HideOwnMemory();

}  // namespace bitpilot
