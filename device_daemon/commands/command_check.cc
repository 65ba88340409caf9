#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/board_report.h"
#include "device_daemon/commands/commands.h"
#include "device_daemon/energy/discovery.h"
#include "device_daemon/energy/source_choice.h"
#include "device_daemon/measurement/clock_rate.h"
#include "device_daemon/measurement/system_info.h"
#include "device_daemon/server/capabilities.h"
#include "device_daemon/server/zmq_socket.h"
#include "device_daemon/worker/sandbox.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kMinFreeMemoryBytes = std::uint64_t{64} << 20;

// What would keep this board from serving; empty if nothing.
std::vector<std::string> FindProblems(const v1::DeviceCapabilities& device) {
  std::vector<std::string> problems;
  const Status security = CheckZmqSecurity();
  if (!security.ok()) problems.push_back(security.message());
  if (device.free_memory_bytes() < kMinFreeMemoryBytes) {
    problems.push_back("only " + std::to_string(device.free_memory_bytes() >> 20) +
                       " MiB of memory are free; 64 MiB are needed");
  }
  return problems;
}

std::vector<std::string> SandboxNames(const SandboxSupport& support) {
  std::vector<std::string> names;
  if (support.landlock_version > 0) names.emplace_back("landlock");
  if (support.has_seccomp) names.emplace_back("seccomp");
  names.emplace_back("capabilities");
  return names;
}

template <typename Value>
nlohmann::ordered_json OrNull(const std::optional<Value>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

// Of the CPU that measures, by its own additions, once it has worked for long enough to leave its
// rest. The thread stays there.
std::optional<double> AwakeClockMhz(const CpuCore& core) {
  if (!PinToCpu(core.cpu)) return std::nullopt;
  MeasureClock& clock = SystemMeasureClock();
  const std::int64_t end_ns = clock.WallNs() + 50'000'000;
  std::optional<double> mhz;
  do {
    mhz = MeasureClockMhz(clock);
  } while (clock.WallNs() < end_ns);
  return mhz ? std::optional<double>(std::round(*mhz)) : mhz;
}

// The CPU that measures.
nlohmann::ordered_json ToJson(const CpuCore& core) {
  return {{"clock_mhz", OrNull(AwakeClockMhz(core))},
          {"cpu", core.cpu},
          {"core", core.Identity()},
          {"capacity", OrNull(core.capacity)},
          {"frequency_khz", OrNull(core.current_khz)},
          {"frequency_max_khz", OrNull(core.max_khz)},
          {"governor", core.governor.empty() ? nlohmann::ordered_json()
                                             : nlohmann::ordered_json(core.governor)}};
}

nlohmann::ordered_json ToJson(const v1::DeviceCapabilities& device, const CpuCore& core,
                              const ZoneWatch& zones, const std::vector<std::string>& problems) {
  nlohmann::ordered_json json{{"type", "result"},
                              {"ready", problems.empty()},
                              {"problems", problems},
                              {"cpu_model", device.cpu_model()},
                              {"cpu_count", device.cpu_count()},
                              {"architecture", device.architecture()},
                              {"os", device.os()},
                              {"isa", device.isa()}};
  json["cpu_isas"] = std::vector<std::string>(device.cpu_isas().begin(), device.cpu_isas().end());
  json["daemon_build"] = device.daemon_build();
  json["kernel_build"] = device.kernel_build();
  json["libzmq"] = ZmqVersion();
  json["curve"] = CheckZmqSecurity().ok();
  json["worker_sandbox"] = SandboxNames(ProbeSandbox());
  json["worker_sandbox_gaps"] = SandboxGaps(ProbeSandbox());
  json["free_memory_bytes"] = device.free_memory_bytes();
  json.update(ToJson(core));
  json["temperature_celsius"] = OrNull(zones.hottest_celsius());
  json["load_average"] = OrNull(LoadAverage());
  return json;
}

// What the system shows, and the meter program if one was named: a failure is listed, too.
std::vector<FoundEnergySource> FindSources(const std::string& meter) {
  Result<std::vector<FoundEnergySource>> all = FindAllEnergySources(meter);
  if (all.ok()) {
    if (meter.empty()) return std::move(*all);
    FoundEnergySource& external = all->front();
    external.status = TryToRecord(*external.source);
    if (!external.status.ok()) external.source.reset();
    return std::move(*all);
  }
  std::vector<FoundEnergySource> sources = FindEnergySources("/");
  sources.insert(sources.begin(), FoundEnergySource{"meter", all.status(), nullptr});
  return sources;
}

void PrintText(const nlohmann::ordered_json& json) {
  for (const auto& [key, value] : json.items()) {
    if (key == "type" || key == "ready" || key == "problems" || key == "worker_sandbox_gaps") {
      continue;
    }
    std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_null()) text = "the system does not tell";
    if (value.is_array()) {
      text.clear();
      for (const auto& one : value) text += (text.empty() ? "" : " ") + one.get<std::string>();
    }
    std::printf("%-20s %s\n", key.c_str(), text.c_str());
  }
}

void PrintLines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) std::printf("%s\n", line.c_str());
}

void PrintVerdict(const nlohmann::ordered_json& json) {
  for (const auto& gap : json["worker_sandbox_gaps"]) {
    std::printf("NOTE: %s\n", gap.get<std::string>().c_str());
  }
  for (const auto& problem : json["problems"]) {
    std::printf("PROBLEM: %s\n", problem.get<std::string>().c_str());
  }
  std::printf("%s\n", json["ready"].get<bool>() ? "ready to serve" : "not ready to serve");
}

}  // namespace

int RunCheck(const CheckOptions& options) {
  const Result<Isa> isa = ChooseIsa("");
  if (!isa.ok()) return ReportFailure(isa.status(), options.json);
  const Result<CpuCore> core = ChooseCore(options.cpu);
  if (!core.ok()) return ReportFailure(core.status(), options.json);
  const v1::DeviceCapabilities device = DescribeDevice("", *isa, *core, std::nullopt);
  const std::vector<std::string> problems = FindProblems(device);
  const std::vector<FoundEnergySource> sources = FindSources(options.meter);
  const LookedAtBoard board = LookAtBoard("/", [] { SleepNs(1'000'000'000); });
  nlohmann::ordered_json json = ToJson(device, *core, board.zones, problems);
  if (options.json) {
    json["energy_sources"] = EnergySourcesJson(sources);
    json["board_state"] = BoardStateJson(board, core->cpu);
    PrintJson(json);
  } else {
    PrintText(json);
    PrintLines(EnergySourcesText(sources));
    PrintLines(BoardStateText(board, core->cpu));
    PrintVerdict(json);
  }
  return problems.empty() ? 0 : 1;
}

}  // namespace bitpilot
