#include "agent/device/local_board.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/device/local_daemon.h"
#include "agent/fleet/leased_board.h"
#include "agent/fleet/zmq_link.h"
#include "agent/profile/model_board.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {
namespace {

// Starting the daemon counts as connecting, and a busy machine may take its time.
constexpr std::chrono::milliseconds kMinConnectTimeout{15'000};

constexpr std::string_view kModel = "model:";

struct Device {
  std::string isa;                 // empty: the best the CPU has
  std::optional<CostTable> table;  // of a model
};

// Reads "local", "local:ISA" or "model:TABLE" and checks what follows the colon, so that mistakes
// are reported here and not by a daemon that does not start.
Result<Device> ParseDevice(const std::string& device, bool fast, const std::string& cpu) {
  if (fast && device.starts_with("local")) {
    return InvalidArgument("--fast is for model boards; '" + device +
                           "' takes the time that it takes");
  }
  Device parsed;
  if (device == "local") return parsed;
  if (device.starts_with("local:")) {
    parsed.isa = device.substr(std::string_view("local:").size());
    const Result<Isa> isa = ParseIsa(parsed.isa);
    if (!isa.ok()) return isa.status().WithContext("device '" + device + "'");
    if (!CpuSupports(*isa)) {
      return Unsupported("device '" + device + "': " + WhyUnsupported(*isa));
    }
    return parsed;
  }
  if (device.starts_with(kModel)) {
    if (!cpu.empty()) {
      return InvalidArgument("--cpu chooses which CPU measures; '" + device + "' measures none");
    }
    Result<CostTable> table = ReadModelBoard(device.substr(kModel.size()));
    if (!table.ok()) return table.status().WithContext("device '" + device + "'");
    parsed.table = std::move(*table);
    return parsed;
  }
  return InvalidArgument("device must be local, local:ISA or model:TABLE, got '" + device + "'");
}

}  // namespace

Result<std::optional<CostTable>> CheckLocalDevice(const std::string& device, bool fast,
                                                  const std::string& cpu) {
  if (device.starts_with(kModel) && IsReadOnce(device.substr(kModel.size()))) {
    return std::optional<CostTable>();
  }
  Result<Device> parsed = ParseDevice(device, fast, cpu);
  if (!parsed.ok()) return parsed.status();
  return std::move(parsed->table);
}

Result<std::unique_ptr<Board>> StartLocalBoard(const std::string& device,
                                               const BoardOptions& options) {
  const Result<Device> parsed = ParseDevice(device, options.fast, options.cpu);
  if (!parsed.ok()) return parsed.status();
  Result<std::string> program = FindDaemonProgram();
  if (!program.ok()) return program.status();
  LocalDaemonOptions daemon_options;
  daemon_options.program = std::move(program).value();
  daemon_options.isa = parsed->isa;
  if (parsed->table) daemon_options.cost_table = FormatCostTable(*parsed->table);
  daemon_options.fast = options.fast;
  daemon_options.meter = options.meter;
  daemon_options.cpu = options.cpu;

  const AgentKeys keys = GenerateCurveKeys();
  Result<std::unique_ptr<LocalDaemon>> daemon =
      LocalDaemon::Create(daemon_options, keys.public_key);
  if (!daemon.ok()) return daemon.status();
  const std::shared_ptr<LocalDaemon> shared = std::move(daemon).value();
  BoardOptions local_options = options;
  local_options.connect_timeout = std::max(options.connect_timeout, kMinConnectTimeout);
  return OpenBoard(
      device, "loopback", keys, [shared] { return shared->Address(); }, local_options);
}

Result<std::string> DeviceSha256(const std::string& device) {
  const Result<Device> parsed = ParseDevice(device, /*fast=*/false, /*cpu=*/"");
  if (!parsed.ok()) return parsed.status();
  return parsed->table ? Sha256Hex(FormatCostTable(*parsed->table)) : std::string();
}

}  // namespace bitpilot
