// Board conditions: what a board was like while it measured, as far as its system tells; and the
// fingerprint, which says whose latencies may be compared at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bitpilot {

struct BoardInfo;

struct BoardConditions {
  std::optional<std::uint32_t> cpu;  // number of the CPU that measured
  std::string governor;              // its own; empty where the system does not tell
  // Its own, from the first window to the last.
  std::optional<std::uint32_t> frequency_min_khz;
  std::optional<std::uint32_t> frequency_max_khz;
  std::optional<double> temperature_start_celsius;  // the hottest zone that counts
  std::optional<double> temperature_end_celsius;
  std::optional<std::uint32_t> throttle_bits;  // of a Raspberry Pi's firmware
  // CPU time of a fixed network, when the lease began and now.
  std::optional<double> canary_lease_ns;
  std::optional<double> canary_ns;
  std::optional<double> other_load;  // CPUs that everything else used meanwhile
  double gate_wait_ms = 0.0;         // until the board was cool enough
  double timed_ms = 0.0;             // inside timed windows
  double turn_wait_ms = 0.0;         // until no other daemon of the machine measured
  // Hash of the choices by timing that the measured networks run by (kernels/runtime/
  // kernel_choices.h); empty: none. Equal networks with equal hashes ran by equal kernels.
  std::string kernel_choices;
  std::vector<std::string> notes;  // what speaks against these conditions, in words
  // Thermal zones that did not count among the temperatures, each with the reason.
  std::vector<std::string> ignored_zones;

  friend bool operator==(const BoardConditions&, const BoardConditions&) = default;
};

// Twelve hexadecimal digits of a SHA-256 over everything that should be the same where two
// latencies are compared: the board's name, CPU, kind of the core that measures, instruction set,
// number of CPUs, system, that core's frequency governor, daemon build, kernel build and backend,
// and whether it also trains.
//
// Different fingerprints do not forbid to compare ratios to 8 bit, each of its own interleaved
// rounds; they do forbid to compare latencies without saying so.
std::string FingerprintOf(const BoardInfo& board);

// The same under the conditions of one measurement: governors may change while a daemon lives.
std::string FingerprintOf(const BoardInfo& board, const BoardConditions& conditions);

// The same without the board's name: boards of one class fingerprint are alike, and a table of one
// is a table of all.
std::string ClassFingerprintOf(const BoardInfo& board);

// What makes two fingerprints differ: "governor is powersave, was performance; ..."; empty if
// nothing does.
std::string DescribeFingerprintChange(const BoardInfo& before, const BoardInfo& now);

}  // namespace bitpilot
