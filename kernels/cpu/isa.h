// Instruction sets: what this CPU has, and what the kernels may use.
//
// What a CPU has is a set of features (CpuFeatures). A level is a named set of them: a restriction
// to `avx2` stands for a CPU whose best is AVX2. That lets one machine stand for several device
// classes, and lets tests run every kernel that the host has.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/cpu/cpu_features.h"

namespace bitpilot {

// In ascending order on each architecture: a level includes the ones before it, except that kAvxVnni
// (256-bit dot products) and kAvx512Vnni (512-bit) both extend kAvx2 and kAmx extends kAvx512Vnni.
enum class Isa : std::uint8_t {
  kScalar = 0,        // portable C++, no POPCNT
  kScalarPopcnt = 1,  // portable C++ and the POPCNT instruction
  kSse4 = 2,
  kAvx2 = 3,
  kAvxVnni = 4,
  kAvx512Vnni = 5,  // AVX-512 F/BW/VL/DQ, VNNI, VBMI, BITALG and VPOPCNTDQ
  kAmx = 6,         // int8 tiles, which Linux lends on request: CpuSupports() asks
  kNeon = 7,        // 64-bit Arm
  kNeonDot = 8,     // ... and dot products of bytes
  kNeonI8mm = 9,    // ... and products of byte matrices
};

// The name as in --isa and logs: "avx512vnni".
std::string_view ToString(Isa isa);

// Errors: kInvalidArgument lists the known names.
Result<Isa> ParseIsa(std::string_view name);

// Every level, ascending.
std::vector<Isa> AllIsas();

// All that a CPU of this level has.
CpuFeatures FeaturesOf(Isa isa);

// The first level that has them.
//
// REQUIRES: there is one.
Isa LevelWith(CpuFeatures features);

// True if the CPU has `isa` and the operating system saves its registers.
bool CpuHas(Isa isa);

// True if this process can run `isa`: CpuHas(), and Linux lends the registers of kAmx, for which
// this asks. What a process was lent lasts until exec, for all of its threads.
bool CpuSupports(Isa isa);

// Why CpuSupports(isa) is false: "this CPU lacks avx2", or with what Linux refuses kAmx.
std::string WhyUnsupported(Isa isa);

// True if what needs `kernel` may run where `limit` is the highest instruction set allowed.
inline bool Allows(Isa limit, CpuFeatures kernel) { return FeaturesOf(limit).Includes(kernel); }
inline bool Allows(Isa limit, Isa kernel) { return Allows(limit, FeaturesOf(kernel)); }

// Every instruction set this CPU can run, ascending.
std::vector<Isa> SupportedIsas();

// The highest one, or what the environment variable BITPILOT_FORCE_ISA names.
//
// Errors: kInvalidArgument / kUnsupported if the variable names something unknown or that this CPU
// lacks.
Result<Isa> DefaultIsa();

}  // namespace bitpilot
