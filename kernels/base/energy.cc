#include "kernels/base/energy.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

bool IsFigure(const EnergyFigure& figure) {
  return std::isfinite(figure.value_uj) && std::isfinite(figure.uncertainty_uj) &&
         figure.uncertainty_uj >= 0.0;
}

}  // namespace

std::string_view ToString(EnergyTier tier) {
  switch (tier) {
    case EnergyTier::kNone:
      return "NONE";
    case EnergyTier::kMeterExternal:
      return "METER_EXTERNAL";
    case EnergyTier::kSensorOnboard:
      return "SENSOR_ONBOARD";
    case EnergyTier::kModelFitted:
      return "MODEL_FITTED";
    case EnergyTier::kModelTable:
      return "MODEL_TABLE";
  }
  return "UNKNOWN";
}

Result<MeasuredEnergy> MeasuredEnergy::Create(EnergySensor sensor, std::string source,
                                              EnergyFigure gross, std::optional<EnergyFigure> net) {
  // Whatever was cast to a sensor on the way here: a model is none.
  if (sensor != EnergySensor::kMeterExternal && sensor != EnergySensor::kSensorOnboard) {
    return InvalidArgument(std::string(ToString(TierOf(sensor))) +
                           " is not what measures energy: its figures are no measurements");
  }
  if (source.empty()) return InvalidArgument("a measured energy names its source");
  if (!IsFigure(gross) || !(gross.value_uj > 0.0)) {
    return DataCorrupt("energy source " + source + ": gross energy must be positive, got " +
                       std::to_string(gross.value_uj) + " +- " +
                       std::to_string(gross.uncertainty_uj) + " uJ");
  }
  if (net && !IsFigure(*net)) {
    return DataCorrupt("energy source " + source + ": net energy must be finite, got " +
                       std::to_string(net->value_uj) + " +- " +
                       std::to_string(net->uncertainty_uj) + " uJ");
  }
  return MeasuredEnergy(sensor, std::move(source), gross, net);
}

Result<EnergySensor> ParseEnergySensor(std::string_view name) {
  for (const EnergySensor sensor : {EnergySensor::kMeterExternal, EnergySensor::kSensorOnboard}) {
    if (name == ToString(TierOf(sensor))) return sensor;
  }
  return InvalidArgument("\"" + std::string(name) + "\" is not what measures energy: expected " +
                         std::string(ToString(EnergyTier::kMeterExternal)) + " or " +
                         std::string(ToString(EnergyTier::kSensorOnboard)));
}

std::optional<EnergyRatio> GrossRatio(const MeasuredEnergy& a, std::span<const double> a_window_uj,
                                      const MeasuredEnergy& b,
                                      std::span<const double> b_window_uj) {
  if (a.sensor() != b.sensor() || a.source() != b.source()) return std::nullopt;
  if (a_window_uj.size() != b_window_uj.size() || a_window_uj.size() < 2) return std::nullopt;
  std::vector<double> ratios;
  ratios.reserve(a_window_uj.size());
  for (std::size_t round = 0; round < a_window_uj.size(); ++round) {
    ratios.push_back(a_window_uj[round] / b_window_uj[round]);
  }
  const CenteredInterval interval = CenteredInterval95(ratios);
  return EnergyRatio{interval.value, interval.half_width};
}

}  // namespace bitpilot
