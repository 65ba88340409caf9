// The daemon-facing half of a meter program: the line protocol of energy/meter_program.h on
// standard input and output. A program for another instrument needs only its own MeterSamples.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace bitpilot {

// What a meter samples in one recording, in the order of time. Times are nanoseconds since the
// recording's start.
class MeterSamples {
 public:
  virtual ~MeterSamples() = default;
  virtual void Restart() = 0;
  virtual std::optional<std::int64_t> NextNs() = 0;  // Nothing: no more samples.
  // What follows the time in the next sample's line: "VOLT,AMPERE" or "MICROJOULE".
  virtual std::string Take() = 0;
};

// The clock whose times the program prints, against CLOCK_MONOTONIC_RAW.
struct MeterClockError {
  std::int64_t offset_ns = 0;
  double skew_ppm = 0.0;
};

// Prints `greeting`, then serves recordings until standard input ends; returns the program's exit
// code: 0, or 1 for a line that is not of the protocol.
int ServeMeter(const std::string& greeting, const MeterClockError& clock_error,
               MeterSamples& samples);

}  // namespace bitpilot
