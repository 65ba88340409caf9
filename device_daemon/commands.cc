#include "device_daemon/commands.h"

#include <cstdio>

namespace bitpilot {

Result<Isa> ChooseIsa(const std::string& name) {
  if (name.empty()) return DefaultIsa();
  Result<Isa> isa = ParseIsa(name);
  if (!isa.ok() || CpuSupports(*isa)) return isa;
  std::string supported;
  for (const Isa one : SupportedIsas()) supported += " " + std::string(ToString(one));
  return Unsupported("this CPU does not have " + name + "; it has" + supported);
}

int ReportFailure(const Status& status) {
  std::fprintf(stderr, "bitpilotd: %s\n", status.message().c_str());
  return 1;
}

}  // namespace bitpilot
