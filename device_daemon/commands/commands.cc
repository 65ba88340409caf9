#include "device_daemon/commands/commands.h"

#include <cstdio>

namespace bitpilot {

Result<Isa> ChooseIsa(const std::string& name) {
  if (name.empty()) {
    if (CpuHas(Isa::kAmx) && !CpuSupports(Isa::kAmx)) {
      std::fprintf(stderr, "bitpilotd: going on without amx: %s\n",
                   WhyUnsupported(Isa::kAmx).c_str());
    }
    return DefaultIsa();
  }
  Result<Isa> isa = ParseIsa(name);
  if (!isa.ok() || CpuSupports(*isa)) return isa;
  std::string supported;
  for (const Isa one : SupportedIsas()) supported += " " + std::string(ToString(one));
  return Unsupported(WhyUnsupported(*isa) + "; supported:" + supported);
}

int ReportFailure(const Status& status) {
  std::fprintf(stderr, "bitpilotd: %s\n", status.message().c_str());
  return 1;
}

}  // namespace bitpilot
