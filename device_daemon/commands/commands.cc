#include "device_daemon/commands/commands.h"

#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

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

Result<CpuCore> PinToChosenCore(const std::string& choice) {
  Result<CpuCore> core = ChooseCore(choice);
  if (core.ok() && !PinToCpu(core->cpu)) {
    return Status(StatusCode::kInternal,
                  "the system refuses to keep this process on CPU " + std::to_string(core->cpu));
  }
  return core;
}

void PrintJson(const nlohmann::ordered_json& line) {
  // A file's name need not be UTF-8, which JSON is.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  std::printf("%s\n", line.dump(-1, ' ', /*ensure_ascii=*/false, kReplace).c_str());
  std::fflush(stdout);
}

void PrintErrorLine(const Status& status) {
  PrintJson({{"type", "error"},
             {"code", std::string(ToString(status.code()))},
             {"message", status.message()}});
}

int ReportFailure(const Status& status, bool json) {
  std::fprintf(stderr, "bitpilotd: %s\n", status.message().c_str());
  if (json) PrintErrorLine(status);
  return status.code() == StatusCode::kInvalidArgument ? 2 : 1;
}

}  // namespace bitpilot
