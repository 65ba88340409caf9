// The CPU that measures: which one it is, of which kind, and how --cpu chooses it.
//
// On one chip may be CPUs of several kinds (Arm's big.LITTLE, Intel's P and E cores), and latencies
// of one kind say nothing about another. CPUs are of one kind if they are the same part and as
// strong: of equal capacity (sysfs: cpu_capacity) where the system tells it of all CPUs, else with
// highest frequencies within 10 %, as a chip's favoured cores have. Where it tells neither, parts
// are told apart, but which is stronger is not known.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// What the system does not tell is empty or absent.
struct CpuCore {
  int cpu = -1;          // its number, as in "cpu4"
  std::string model;     // "AMD EPYC 7763", or the same as `part`
  std::string part;      // "AuthenticAMD family 25 model 1", "implementer 0x41 part 0xd0b"
  std::string cluster;   // all CPUs of its kind, "4-7"; empty if the machine has one kind only
  std::string siblings;  // CPUs that share its execution units, itself included: "4,12"
  std::string governor;  // of its frequency
  std::optional<std::int64_t> capacity;     // 1024: the strongest there is
  std::optional<std::int64_t> max_khz;      // that the hardware allows
  std::optional<std::int64_t> current_khz;  // when this was read
  int strength = 0;  // 0: the weakest kind of the machine; equal where the system does not tell

  // What makes a latency that of this kind of CPU: "implementer 0x41 part 0xd0b, capacity 1024,
  // CPUs 4-7". The same for every CPU of the kind, and after every start.
  std::string Identity() const;
};

// Every CPU that is switched on, by number, as proc/cpuinfo and sys/ below `root` (usually "/")
// describe it. On Arm its own register (sys/, midr_el1) goes before proc/cpuinfo.
std::vector<CpuCore> ReadCpuCores(const std::filesystem::path& root);

// CPUs that this process may use, ascending.
std::vector<int> AllowedCpus();

// The CPU of `cores` that `choice` names among `allowed`:
//   ""       the last one of the strongest kind: the first CPU serves interrupts and the daemon's
//            own sockets.
//   "4"      that one.
//   "big"    the last one of the strongest kind, where there are several kinds.
//   "little" the last one of the weakest, likewise.
//
// Errors, naming the flag --cpu and the CPUs that there are: kInvalidArgument for other words, a
// CPU that is not allowed, and "big" and "little" where all CPUs are alike or the system does not
// tell which are stronger.
//
// REQUIRES: `allowed` is not empty.
Result<CpuCore> ChooseCore(const std::vector<CpuCore>& cores, const std::vector<int>& allowed,
                           const std::string& choice);

// CPUs for `num_threads` threads that share an inference: ChooseCore()'s, then the last others of
// its kind, none of which shares its execution units with another one of them.
//
// Errors: ChooseCore()'s; kInvalidArgument, naming the flag --threads, if there are too few.
//
// REQUIRES: `allowed` is not empty; num_threads >= 1.
Result<std::vector<CpuCore>> ChooseCores(const std::vector<CpuCore>& cores,
                                         const std::vector<int>& allowed, const std::string& choice,
                                         int num_threads);

// The same on this machine.
Result<CpuCore> ChooseCore(const std::string& choice);
Result<std::vector<CpuCore>> ChooseCores(const std::string& choice, int num_threads);

// Keeps the calling thread, and those that it starts, on this CPU; false if the system refuses.
bool PinToCpu(int cpu);

// "0-3,6" of ascending numbers.
std::string CpuList(const std::vector<int>& cpus);

}  // namespace bitpilot
