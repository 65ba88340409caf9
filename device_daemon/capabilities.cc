#include "device_daemon/capabilities.h"

#include <unistd.h>

#include <array>

#include "device_daemon/system_info.h"
#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "board";
}

}  // namespace

std::string DaemonBuild() { return "bitpilotd " BITPILOT_VERSION; }

v1::DeviceCapabilities DescribeDevice(const std::string& name, Isa isa,
                                      const std::optional<CostTable>& cost_table) {
  v1::DeviceCapabilities device;
  device.set_name(name.empty() ? HostName() : name);
  device.set_cpu_model(CpuModel());
  device.set_isa(std::string(ToString(isa)));
  for (const Isa supported : SupportedIsas()) device.add_cpu_isas(std::string(ToString(supported)));
  device.set_daemon_build(DaemonBuild());
  device.set_kernel_build(KernelBuildId());
  device.set_backend(cost_table ? "model:" + cost_table->name : "kernels");
  if (cost_table) device.set_model_source(cost_table->source);
  device.set_cpu_count(static_cast<std::uint32_t>(CpuCount()));
  device.set_free_memory_bytes(FreeMemoryBytes());
  device.set_os(OperatingSystem());
  device.set_architecture(Architecture());
  device.set_governor(Governor());
  return device;
}

}  // namespace bitpilot
