// External meters: a program that talks to the instrument and prints what it samples.
//
// The line protocol, version 1. Lines end with '\n'; times are nanoseconds of the meter's own
// clock, whatever its zero.
//   program, once:          meter 1 NAME PERIOD_NS RELATIVE_ACCURACY MAX_POWER_W
//   daemon, then program:   start                  ->  started TIME_NS
//   program, in between:    TIME_NS,VOLT,AMPERE    a sample of power, or
//                           TIME_NS,MICROJOULE     energy since some moment: one kind a recording
//   daemon, then program:   stop                   ->  stopped TIME_NS
// NAME is printable ASCII without spaces, up to 64 characters.
// The program answers `start` and `stop` at once, with the time at which it read them: so the two
// clocks are aligned, offset and rate, up to half the answers' delay. Where an answer took
// milliseconds, the daemon begins and ends a few recordings more, for their answers. The program
// ends when its standard input does. Anything else that it prints is an error; standard
// error is passed on.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "device_daemon/energy/energy_source.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Information from the protocol's first line, e.g. "meter 1 js220 1000000 0.005 15".
//
// Errors: kVersionMismatch for another version, kDataCorrupt for anything else.
Result<EnergySourceInfo> ParseMeterGreeting(std::string_view line);

// One sample line; sets `quantity` to its kind. Values are watts or joules.
//
// Errors: kDataCorrupt.
Result<EnergySample> ParseMeterSample(std::string_view line, EnergyQuantity& quantity);

// The meter's clock against this machine's, from the two exchanges of a recording.
struct MeterClock {
  std::int64_t meter_start_ns = 0;
  std::int64_t meter_stop_ns = 0;
  std::int64_t own_start_ns = 0;  // Halfway between question and answer.
  std::int64_t own_stop_ns = 0;
  std::int64_t uncertainty_ns = 0;  // Half of the longer answer's delay.
};

// Puts meter times onto this machine's clock.
//
// Errors: kDataCorrupt if the meter's clock did not advance, or runs more than 0.1 % fast or slow,
// beyond what the uncertainty of both ends explains.
Status AlignSamples(const MeterClock& clock, std::vector<EnergySample>& samples);

// Starts `command` with /bin/sh and waits up to four seconds for its greeting. The times that
// Start() and Finish() take are those of CLOCK_MONOTONIC_RAW. A recording of more than four million
// samples fails. The program ends with the source.
//
// Errors: kUnavailable if it cannot be started or does not greet in time, and as above.
Result<std::unique_ptr<EnergySource>> StartMeterProgram(const std::string& command);

}  // namespace bitpilot
