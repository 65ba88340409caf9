#include "device_daemon/server/prepared_server.h"

#include <unistd.h>

#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "device_daemon/server/board_clock.h"
#include "device_daemon/server/capabilities.h"
#include "device_daemon/server/drain_file.h"
#include "device_daemon/server/expected_agent.h"
#include "device_daemon/server/lease_epoch_file.h"

namespace bitpilot {
namespace {

constexpr std::size_t kBootIdBytes = 16;

std::string RandomBytes(std::size_t size) {
  std::random_device source;
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(source() & 0xFF);
  return bytes;
}

// A model measures nothing, whatever this machine has.
Result<EnergyChoice> ChooseSource(const ServerOptions& options) {
  if (!options.cost_table_path.empty()) return EnergyChoice{nullptr, "the board is a model"};
  Result<std::vector<FoundEnergySource>> found = FindAllEnergySources(options.meter);
  if (!found.ok()) return found.status();
  return ChooseEnergySource(std::move(*found), options.energy_source);
}

// The worker may read everything in the store.
Status CheckStoreHoldsNoKeys(const ServerOptions& options) {
  std::error_code error;
  const std::string keys =
      std::filesystem::weakly_canonical(options.keys_folder, error).string() + "/";
  const std::string store =
      std::filesystem::weakly_canonical(options.store_folder, error).string() + "/";
  if (error || !keys.starts_with(store)) return {};
  return InvalidArgument("--store " + options.store_folder + " holds the keys " +
                         options.keys_folder +
                         ", which the process that runs networks must not read; choose another "
                         "folder");
}

}  // namespace

Result<PreparedServer> PrepareServer(const ServerOptions& options) {
  BITPILOT_RETURN_IF_ERROR(CheckZmqSecurity());
  BITPILOT_RETURN_IF_ERROR(CheckStoreHoldsNoKeys(options));
  Result<CurveKeys> keys = ReadDaemonKeys(options.keys_folder);
  if (!keys.ok()) return keys.status().AsCorruptInput();
  Result<AgentList> agents = ReadAgentList(options.keys_folder);
  if (!agents.ok()) return agents.status().AsCorruptInput();
  std::optional<CostTable> cost_table;
  if (!options.cost_table_path.empty()) {
    Result<CostTable> table = ReadCostTableFile(options.cost_table_path);
    if (!table.ok()) return table.status();
    cost_table = std::move(*table);
  }
  Result<ArtifactStore> store =
      ArtifactStore::Open(options.store_folder, options.store_quota_bytes);
  if (!store.ok()) return store.status();
  const Result<std::uint64_t> epoch = ReadLeaseEpoch(options.store_folder);
  if (!epoch.ok()) return epoch.status();
  Result<EnergyChoice> energy = ChooseSource(options);
  if (!energy.ok()) return energy.status();
  v1::DeviceCapabilities capabilities =
      DescribeDevice(options.name, options.isa, options.core, cost_table);
  capabilities.set_shares_agent_host(options.shares_agent_host);
  *capabilities.mutable_energy() = DescribeEnergy(*energy, cost_table);
  if (!options.connect.empty()) {
    const Status expected = ChooseExpectedAgent(agents->agents, options.agent_name,
                                                BoardClock(options.store_folder).Today(),
                                                ReadExpectedAgent(options.store_folder))
                                .status();
    // A key that is not good today may be on another day, or once the clock is set.
    if (!expected.ok() && expected.code() != StatusCode::kPermissionDenied) return expected;
  }
  Result<std::optional<std::string>> drain = ReadDrain(options.store_folder);
  if (!drain.ok()) return drain.status();
  ResultStore results(options.store_folder);
  std::vector<std::string> problems = agents->problems;
  std::vector<v1::KeptResult> kept = results.Load(problems);
  BaselineKeeper baseline(options.store_folder, BaselineKey("/", capabilities));
  return PreparedServer{std::move(*keys),
                        std::move(*agents),
                        std::move(cost_table),
                        std::move(*store),
                        *epoch,
                        std::move(*energy),
                        std::move(capabilities),
                        std::move(baseline),
                        std::move(results),
                        std::move(kept),
                        std::move(*drain),
                        std::move(problems)};
}

EnergySetup MakeEnergySetup(const ServerOptions& options, EnergyChoice choice) {
  EnergySetup setup{nullptr, choice.reason, options.energy_tolerance};
  if (!choice.source) return setup;
  const std::string name = choice.source->info().name;
  const auto reopen = [meter = options.meter, name]() -> Result<std::unique_ptr<EnergySource>> {
    Result<std::vector<FoundEnergySource>> found = FindAllEnergySources(meter);
    if (!found.ok()) return found.status();
    Result<EnergyChoice> again = ChooseEnergySource(std::move(*found), name);
    if (!again.ok()) return again.status();
    return std::move(again->source);
  };
  setup.recorder = std::make_unique<EnergyRecorder>(std::move(choice.source), reopen);
  return setup;
}

daemon::CoreConfig MakeCoreConfig(const ServerOptions& options, PreparedServer& prepared) {
  daemon::CoreConfig config;
  config.boot_id = RandomBytes(kBootIdBytes);
  config.last_epoch = prepared.last_epoch;
  config.kept_results = std::move(prepared.kept_results);
  config.drain_reason = prepared.drain_reason;
  config.capabilities = prepared.capabilities;
  config.limits.set_store_bytes(options.store_quota_bytes);
  config.limits.set_worker_memory_bytes(options.worker_memory_bytes);
  if (prepared.energy.source) {
    config.energy_duration =
        [info = prepared.energy.source->info()](const v1::MeasureRequest& request) {
          return EnergyPhaseDuration(request, info);
        };
  }
  return config;
}

WorkerCommand WorkerCommandFor(const ServerOptions& options) {
  std::vector<std::string> arguments{"worker",
                                     "--store",
                                     options.store_folder,
                                     "--isa",
                                     std::string(ToString(options.isa)),
                                     "--cpu",
                                     std::to_string(options.core.cpu),
                                     "--memory-bytes",
                                     std::to_string(options.worker_memory_bytes),
                                     "--parent",
                                     std::to_string(getpid())};
  if (options.shares_agent_host) arguments.emplace_back("--shares-agent-host");
  if (!options.cost_table_path.empty()) {
    arguments.insert(arguments.end(), {"--cost-table", options.cost_table_path});
    if (options.fast) arguments.emplace_back("--fast");
  }
  return {options.program, std::move(arguments)};
}

}  // namespace bitpilot
