#include "kernels/cpu/isa.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/base/joined.h"
#endif

namespace bitpilot {
namespace {

struct IsaName {
  Isa isa;
  std::string_view name;
};

constexpr std::array kNames = {
    IsaName{Isa::kScalar, "scalar"},   IsaName{Isa::kScalarPopcnt, "scalar-popcnt"},
    IsaName{Isa::kSse4, "sse4"},       IsaName{Isa::kAvx2, "avx2"},
    IsaName{Isa::kAvxVnni, "avxvnni"}, IsaName{Isa::kAvx512Vnni, "avx512vnni"},
    IsaName{Isa::kAmx, "amx"},
};

std::string KnownNames() { return Joined(kNames, &IsaName::name); }

#if defined(__x86_64__)
// The builtin also asks the operating system whether it saves the wider registers.
bool CpuHasAvx512Vnni() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bitalg");
}
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
  for (const IsaName& entry : kNames) {
    if (entry.isa == isa) {
      return entry.name;
    }
  }
  return "unknown";
}

Result<Isa> ParseIsa(std::string_view name) {
  for (const IsaName& entry : kNames) {
    if (entry.name == name) {
      return entry.isa;
    }
  }
  return InvalidArgument("unknown instruction set '" + std::string(name) + "': expected one of " +
                         KnownNames());
}

bool CpuHas(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kScalarPopcnt:
      return __builtin_cpu_supports("popcnt");
    case Isa::kSse4:
      return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2");
    case Isa::kAvxVnni:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avxvnni");
    case Isa::kAvx512Vnni:
      return __builtin_cpu_supports("avx2") && CpuHasAvx512Vnni();
    case Isa::kAmx:
      return CpuHasAvx512Vnni() && __builtin_cpu_supports("amx-tile") &&
             __builtin_cpu_supports("amx-int8");
  }
  return false;
#else
  return isa == Isa::kScalar;
#endif
}

bool CpuSupports(Isa isa) { return CpuHas(isa) && (isa != Isa::kAmx || RequestTiles() == 0); }

std::string WhyUnsupported(Isa isa) {
  const std::string name(ToString(isa));
  if (!CpuHas(isa)) return "this CPU lacks " + name;
  return "Linux refuses the tile registers of " + name + " (" + std::strerror(RequestTiles()) +
         "): it lends them from version 5.16 on, if no thread has a signal stack that is too small "
         "for them";
}

bool Allows(Isa limit, Isa kernel) {
  if (kernel == Isa::kAvxVnni) {
    return limit == Isa::kAvxVnni;  // The 512-bit levels do not include the 256-bit encoding.
  }
  return kernel <= limit;
}

std::vector<Isa> SupportedIsas() {
  std::vector<Isa> supported;
  for (const IsaName& entry : kNames) {
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
