#include "kernels/cpu/isa.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "kernels/base/check.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

struct Level {
  Isa isa;
  std::string_view name;
  CpuFeatures features;
};

constexpr CpuFeatures kSse4Level = CpuFeature::kPopcnt | CpuFeature::kSse4;
constexpr CpuFeatures kAvx2Level = kSse4Level | CpuFeature::kAvx2;
constexpr CpuFeatures kAvx512VnniLevel = kAvx2Level | CpuFeature::kAvx512Vnni;

constexpr std::array kLevels = {
    Level{Isa::kScalar, "scalar", CpuFeature::kPortable},
    Level{Isa::kScalarPopcnt, "scalar-popcnt", CpuFeature::kPopcnt},
    Level{Isa::kSse4, "sse4", kSse4Level},
    Level{Isa::kAvx2, "avx2", kAvx2Level},
    Level{Isa::kAvxVnni, "avxvnni", kAvx2Level | CpuFeature::kAvxVnni},
    Level{Isa::kAvx512Vnni, "avx512vnni", kAvx512VnniLevel},
    Level{Isa::kAmx, "amx", kAvx512VnniLevel | CpuFeature::kAmx},
    Level{Isa::kNeon, "neon", CpuFeature::kNeon},
    Level{Isa::kNeonDot, "neondot", CpuFeature::kNeon | CpuFeature::kDotProd},
    Level{Isa::kNeonI8mm, "neoni8mm", CpuFeature::kNeon | CpuFeature::kDotProd | CpuFeature::kI8mm},
};

std::string KnownNames() { return Joined(kLevels, &Level::name); }

#if defined(__x86_64__)
// The builtin also asks the operating system whether it saves the wider registers.
CpuFeatures Detect() {
  CpuFeatures found;
  const auto add = [&found](CpuFeature feature, bool has) {
    if (has) found = found | feature;
  };
  add(CpuFeature::kPopcnt, __builtin_cpu_supports("popcnt"));
  add(CpuFeature::kSse4, __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1"));
  add(CpuFeature::kAvx2, __builtin_cpu_supports("avx2"));
  add(CpuFeature::kAvxVnni, __builtin_cpu_supports("avxvnni"));
  add(CpuFeature::kAvx512Vnni,
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq") &&
          __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bitalg"));
  add(CpuFeature::kAmx, __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8"));
  return found;
}
#elif defined(__aarch64__) && defined(__linux__)
// Linux names what all cores have, so that a thread may move from one to another.
CpuFeatures Detect() {
  CpuFeatures found;
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMD) == 0) return found;
  found = CpuFeature::kNeon;
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) found = found | CpuFeature::kDotProd;
  if ((getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0) found = found | CpuFeature::kI8mm;
  return found;
}
#else
CpuFeatures Detect() { return {}; }
#endif

// Linux lends the tile registers to a process only on request. Returns 0 or why it does not.
int RequestTiles() {
#if defined(__x86_64__) && defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0 ? 0 : errno;
#else
  return ENOSYS;
#endif
}

}  // namespace

std::string_view ToString(Isa isa) {
  for (const Level& entry : kLevels) {
    if (entry.isa == isa) {
      return entry.name;
    }
  }
  return "unknown";
}

Result<Isa> ParseIsa(std::string_view name) {
  for (const Level& entry : kLevels) {
    if (entry.name == name) {
      return entry.isa;
    }
  }
  return InvalidArgument("unknown instruction set '" + std::string(name) + "': expected one of " +
                         KnownNames());
}

std::vector<Isa> AllIsas() {
  std::vector<Isa> all;
  for (const Level& entry : kLevels) {
    all.push_back(entry.isa);
  }
  return all;
}

CpuFeatures FeaturesOf(Isa isa) {
  for (const Level& entry : kLevels) {
    if (entry.isa == isa) {
      return entry.features;
    }
  }
  return {};
}

Isa LevelWith(CpuFeatures features) {
  for (const Level& entry : kLevels) {
    if (entry.features.Includes(features)) {
      return entry.isa;
    }
  }
  BITPILOT_CHECK(!"a kernel needs features that no level has together");
  std::abort();
}

bool CpuHas(Isa isa) {
  static const CpuFeatures cpu = Detect();
  return cpu.Includes(FeaturesOf(isa));
}

bool CpuSupports(Isa isa) { return CpuHas(isa) && (isa != Isa::kAmx || RequestTiles() == 0); }

std::string WhyUnsupported(Isa isa) {
  const std::string name(ToString(isa));
  if (!CpuHas(isa)) return "this CPU lacks " + name;
  return "Linux refuses the tile registers of " + name + " (" + std::strerror(RequestTiles()) +
         "): it lends them from version 5.16 on, if no thread has a signal stack that is too small "
         "for them";
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> supported;
  for (const Level& entry : kLevels) {
    if (CpuSupports(entry.isa)) {
      supported.push_back(entry.isa);
    }
  }
  return supported;
}

Result<Isa> DefaultIsa() {
  const char* forced = std::getenv("BITPILOT_FORCE_ISA");
  if (forced == nullptr || *forced == '\0') {
    return SupportedIsas().back();
  }
  const Result<Isa> isa = ParseIsa(forced);
  if (!isa.ok()) {
    return isa.status().WithContext("BITPILOT_FORCE_ISA");
  }
  if (!CpuSupports(*isa)) {
    return Unsupported("BITPILOT_FORCE_ISA: " + WhyUnsupported(*isa));
  }
  return isa;
}

}  // namespace bitpilot
