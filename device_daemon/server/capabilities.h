// What this board says about itself in HelloAck and in `bitpilotd check`.
#pragma once

#include <optional>
#include <string>

#include "device_daemon/energy/source_choice.h"
#include "device_daemon/measurement/cpu_core.h"
#include "kernels/base/cost_table.h"
#include "kernels/cpu/isa.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// "bitpilotd 0.1.0"
std::string DaemonBuild();

// name: of the board; the host name if empty.   isa: highest instruction set the kernels may use.
// core: that measures.   cost_table: of a model backend, whose figures are of no core.
v1::DeviceCapabilities DescribeDevice(const std::string& name, Isa isa, const CpuCore& core,
                                      const std::optional<CostTable>& cost_table);

// What `choice` lets this board say about energy. A model backend measures none: its table's
// figures, if it has any, are of tier MODEL_TABLE.
v1::EnergyCapability DescribeEnergy(const EnergyChoice& choice,
                                    const std::optional<CostTable>& cost_table);

}  // namespace bitpilot
