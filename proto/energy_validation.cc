#include "proto/energy_validation.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "proto/field_checks.h"

namespace bitpilot {
namespace {

Status ValidateNet(const v1::EnergyMeasurement& energy) {
  if (energy.has_net_uj() != energy.has_net_uncertainty_uj() ||
      energy.has_net_uj() != energy.no_net_reason().empty()) {
    return InvalidArgument("a net energy has an uncertainty, and a missing one a reason");
  }
  BITPILOT_RETURN_IF_ERROR(CheckFinite("net_uj", energy.net_uj()));
  return CheckNotNegative("net_uncertainty_uj", energy.net_uncertainty_uj());
}

}  // namespace

Status ValidateEnergy(const v1::EnergyMeasurement& energy) {
  if (energy.tier() != v1::METER_EXTERNAL && energy.tier() != v1::SENSOR_ONBOARD) {
    return InvalidArgument("a measured energy is of tier METER_EXTERNAL or SENSOR_ONBOARD, got " +
                           std::to_string(static_cast<int>(energy.tier())));
  }
  if (energy.source().empty()) return InvalidArgument("a measured energy names its source");
  BITPILOT_RETURN_IF_ERROR(CheckName("source", energy.source()));
  BITPILOT_RETURN_IF_ERROR(CheckName("scope", energy.scope()));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("gross_uj", energy.gross_uj()));
  BITPILOT_RETURN_IF_ERROR(CheckNotNegative("gross_uncertainty_uj", energy.gross_uncertainty_uj()));
  BITPILOT_RETURN_IF_ERROR(ValidateNet(energy));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("idle_power_w", energy.idle_power_w()));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("latency_ns", energy.latency_ns()));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("window_s", energy.window_s()));
  const auto& windows_uj = energy.window_uj();
  if (windows_uj.empty() || energy.samples() < 2 ||
      energy.inferences() < static_cast<std::uint64_t>(windows_uj.size())) {
    return InvalidArgument("a measured energy has windows with inferences and samples");
  }
  for (const double window_uj : windows_uj) {
    BITPILOT_RETURN_IF_ERROR(CheckPositive("window_uj", window_uj));
  }
  const auto [least, most] = std::minmax_element(windows_uj.begin(), windows_uj.end());
  if (energy.gross_uj() >= *least && energy.gross_uj() <= *most) return {};
  return InvalidArgument("gross_uj is not among its windows");
}

Status ValidateCapability(const v1::EnergyCapability& energy) {
  const v1::EnergyTier tier = energy.tier();
  if (tier == v1::ENERGY_TIER_UNSPECIFIED || !v1::EnergyTier_IsValid(tier)) {
    return InvalidArgument("unknown energy tier " + std::to_string(static_cast<int>(tier)));
  }
  const bool measures = tier == v1::METER_EXTERNAL || tier == v1::SENSOR_ONBOARD;
  if (measures == energy.source().empty() || measures != energy.reason().empty()) {
    return InvalidArgument("a board that measures energy names the source, another one the reason");
  }
  BITPILOT_RETURN_IF_ERROR(CheckName("source", energy.source()));
  if (!measures) {
    BITPILOT_RETURN_IF_ERROR(CheckFinite("period_ms", energy.period_ms()));
    return CheckFinite("window_s", energy.window_s());
  }
  BITPILOT_RETURN_IF_ERROR(CheckPositive("period_ms", energy.period_ms()));
  return CheckPositive("window_s", energy.window_s());
}

}  // namespace bitpilot
