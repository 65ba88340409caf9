#include "device_daemon/server/capabilities.h"

#include "device_daemon/energy/energy_estimate.h"
#include "device_daemon/measurement/system_info.h"
#include "kernels/base/host_name.h"
#include "kernels/base/utf8.h"
#include "kernels/runtime/kernel_build_id.h"

namespace bitpilot {

std::string DaemonBuild() { return "bitpilotd " BITPILOT_VERSION; }

v1::DeviceCapabilities DescribeDevice(const std::string& name, Isa isa, const CpuCore& core,
                                      const std::optional<CostTable>& cost_table) {
  v1::DeviceCapabilities device;
  device.set_name(name.empty() ? HostName() : name);
  device.set_cpu_model(core.model);
  device.set_isa(std::string(ToString(isa)));
  for (const Isa supported : SupportedIsas()) device.add_cpu_isas(std::string(ToString(supported)));
  device.set_daemon_build(DaemonBuild());
  device.set_kernel_build(KernelBuildId());
  device.set_backend(cost_table ? "model:" + ToUtf8(cost_table->name) : "kernels");
  if (cost_table) device.set_model_source(ToUtf8(cost_table->source));
  device.set_cpu_count(static_cast<std::uint32_t>(CpuCount()));
  device.set_free_memory_bytes(FreeMemoryBytes());
  device.set_os(OperatingSystem());
  device.set_architecture(Architecture());
  device.set_governor(core.governor);
  if (!cost_table) {
    device.set_core(core.Identity());
    device.set_cpu(static_cast<std::uint32_t>(core.cpu));
  }
  return device;
}

v1::EnergyCapability DescribeEnergy(const EnergyChoice& choice,
                                    const std::optional<CostTable>& cost_table) {
  v1::EnergyCapability energy;
  if (cost_table) {
    const EnergyTier tier = EnergyTierOf(*cost_table);
    const bool has_energy = tier != EnergyTier::kNone;
    energy.set_tier(has_energy ? static_cast<v1::EnergyTier>(tier) : v1::NO_ENERGY);
    energy.set_reason("the board is a model (" + ToUtf8(cost_table->name) + "): it " +
                      (has_energy ? "estimates in " + cost_table->energy_unit : "has no energies") +
                      " and measures nothing");
    return energy;
  }
  if (!choice.source) {
    energy.set_tier(v1::NO_ENERGY);
    energy.set_reason(ToUtf8(choice.reason));
    return energy;
  }
  const EnergySourceInfo& info = choice.source->info();
  energy.set_tier(static_cast<v1::EnergyTier>(TierOf(info.sensor)));
  energy.set_source(ToUtf8(info.name));
  energy.set_scope(ToUtf8(info.scope));
  energy.set_period_ms(static_cast<double>(info.period_ns) * 1e-6);
  energy.set_window_s(static_cast<double>(MinWindowNs(info)) * 1e-9);
  return energy;
}

}  // namespace bitpilot
