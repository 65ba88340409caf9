// Peak loops: multiply-accumulates as fast as this core can, from registers only. What a network
// reaches of the rate measured beside it says how much a better kernel could still win; rates of
// different runs say nothing, because frequencies drift.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu/isa.h"

namespace bitpilot {

// The fastest exact products of an 8-bit weight and an 8-bit activation that an instruction set
// has. Kernels of fewer bits can be faster.
struct PeakLoop {
  Isa isa;
  std::string_view instructions;  // e.g. "vpdpbusd zmm"
  std::int64_t macs_per_round;
  void (*run)(int rounds);
};

// The loop of the highest instruction set that `limit` allows and that this build has.
const PeakLoop& SelectPeakLoop(Isa limit);

// Every loop of this build, ascending. Not all can run on this CPU.
std::span<const PeakLoop> AllPeakLoops();

}  // namespace bitpilot
