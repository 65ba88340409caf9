// Which one of a board's energy sources measures.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "device_daemon/energy/energy_source.h"
#include "kernels/base/status.h"

namespace bitpilot {

inline constexpr char kNoEnergySource[] = "none";

// Index of the usable source that sees most of the board, in the order of EnergyCoverage: an
// external meter, the rail that feeds the board, the CPU packages (RAPL), the sum of the rails
// (Raspberry Pi 5), a battery; of equal ones the first. A rail that feeds a part of the board is
// never taken by itself: what it leaves out is anybody's guess, so it must be named.
std::optional<std::size_t> BestEnergySource(std::span<const FoundEnergySource> found);

// The source that measures, or why nothing does.
struct EnergyChoice {
  std::unique_ptr<EnergySource> source;  // Null: nothing measures.
  std::string reason;                    // Set exactly without a source.
};

// name: of the source to take; empty: the best one; kNoEnergySource: none. Without a name, nothing
// usable is an answer (whose reason has those of all sources), never an error and never a model.
//
// Errors:
//   kInvalidArgument  no source has this name; the message lists all.
//   The named source's own status if it cannot be used.
Result<EnergyChoice> ChooseEnergySource(std::vector<FoundEnergySource> found,
                                        const std::string& name);

// Sources of this machine: what the system below "/" shows, and the meter program `meter` (empty:
// none).
//
// Errors: of StartMeterProgram(): who names a meter wants it.
Result<std::vector<FoundEnergySource>> FindAllEnergySources(const std::string& meter);

}  // namespace bitpilot
