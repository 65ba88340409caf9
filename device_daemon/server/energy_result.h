// The daemon's half of an energy measurement: what a source saw while the worker ran and rested
// becomes an energy of every network, or the reason why there is none.
#pragma once

#include <string>

#include "device_daemon/energy/energy_source.h"
#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"
#include "proto/framing.h"

namespace bitpilot {

// A network must take the same time in both phases, or what its energy belongs to is unknown: its
// time in the energy phase may lie outside the latency's interval by this share at most.
inline constexpr double kDefaultEnergyTolerance = 0.02;

// Writes `reason` to every network of `result`, none of which then has an energy.
void RefuseEnergy(const std::string& reason, v1::MeasureResult& result);

// A measurement that does not fit the frames with its energies (RefuseEnergy() tells so) is better
// than none. Other messages, and those that fit, stay as they are.
void DropEnergyThatDoesNotFit(Message& reply);

// Gives every network of `result` an energy or, each on its own, a reason: an error of the
// recording; windows too short for the source, with gaps, with powers that no board draws; clocks
// that do not agree; another speed than in the latency phase. A net energy is left out, with its
// reason, where idle power shifted by more than 3 %.
//
// `run` is what the worker answered with status OK; one that contradicts itself is a reason, too.
void AttachEnergy(const v1::EnergyRunResult& run, const Result<EnergyTrace>& trace,
                  double tolerance, v1::MeasureResult& result);

}  // namespace bitpilot
