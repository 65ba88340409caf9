// Energies, and why a model's figure can never pass for a measured one.
//
// A measured energy and a model's estimate are different types without a conversion in either
// direction: a MeasuredEnergy names the sensor that it came from, and there is no sensor called
// "model"; a ModelEnergy is a number in the model's own unit, which is never plain joules. What was
// not measured is an absent std::optional<MeasuredEnergy>, never a zero.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/base/status.h"

namespace bitpilot {

// Where a figure comes from. Only the first two can be measured with.
enum class EnergyTier : std::uint8_t {
  kNone = 0,
  kMeterExternal = 1,  // An instrument in the board's supply.
  kSensorOnboard = 2,  // The board's own sensor or counter; its scope may be a part of the board.
  kModelFitted = 3,    // A formula fitted against a meter on a board of the same kind.
  kModelTable = 4,     // A table of costs per operation.
};

// Name as in logs and JSON, e.g. "METER_EXTERNAL".
std::string_view ToString(EnergyTier tier);

// What can measure. Values are those of EnergyTier.
enum class EnergySensor : std::uint8_t { kMeterExternal = 1, kSensorOnboard = 2 };

// The sensor of this name ("METER_EXTERNAL", "SENSOR_ONBOARD").
//
// Errors: kInvalidArgument for any other word, a model's tier among them.
Result<EnergySensor> ParseEnergySensor(std::string_view name);

constexpr EnergyTier TierOf(EnergySensor sensor) { return static_cast<EnergyTier>(sensor); }

// A measured quantity in microjoules with the half-width of its 95 % interval.
struct EnergyFigure {
  double value_uj = 0.0;
  double uncertainty_uj = 0.0;
};

// Energy of one inference as a sensor saw it.
class MeasuredEnergy {
 public:
  // `gross`: everything that the source's scope drew while inferences ran back to back. `net`: the
  // same less what it draws when idle; absent if idle was not measured, or not steadily enough.
  //
  // Errors: kDataCorrupt unless gross is positive, and all figures are finite with uncertainties
  // that are not negative; kInvalidArgument if `source` is empty.
  static Result<MeasuredEnergy> Create(EnergySensor sensor, std::string source, EnergyFigure gross,
                                       std::optional<EnergyFigure> net);

  EnergySensor sensor() const { return sensor_; }
  const std::string& source() const { return source_; }  // E.g. "rapl:package-0".
  const EnergyFigure& gross() const { return gross_; }
  const std::optional<EnergyFigure>& net() const { return net_; }

 private:
  MeasuredEnergy(EnergySensor sensor, std::string source, EnergyFigure gross,
                 std::optional<EnergyFigure> net)
      : sensor_(sensor), source_(std::move(source)), gross_(gross), net_(net) {}

  EnergySensor sensor_;
  std::string source_;
  EnergyFigure gross_;
  std::optional<EnergyFigure> net_;
};

// A ratio of two energies with the half-width of its 95 % interval.
struct EnergyRatio {
  double value = 0.0;
  double uncertainty = 0.0;
};

// Gross energy of `a` over that of `b`, round by round: the mean of the rounds' ratios, or their
// median from 6 rounds on (CenteredInterval95()).
//
// What is common to both windows of a round cancels: an instrument that shows everything too large
// by some factor, and slow changes of the board. What differs from window to window, such as the
// error at a window's edges, is in the scatter of the ratios, and so in the uncertainty. An offset
// of the instrument, and an error that changes otherwise with the power itself, neither cancels nor
// is in the uncertainty: 0.1 W too much on 5 W and 7 W is 0.6 % of the ratio.
//
// a_window_uj, b_window_uj: gross energy of an inference in every window; windows of the same index
// belong to one round of the same energy phase.
//
// nullopt if two different sources saw them, if there are fewer than two rounds, or if the windows
// are not as many on both sides.
std::optional<EnergyRatio> GrossRatio(const MeasuredEnergy& a, std::span<const double> a_window_uj,
                                      const MeasuredEnergy& b, std::span<const double> b_window_uj);

// Energy of one inference as a model claims it: comparable only with figures of the same model.
struct ModelEnergy {
  double value = 0.0;
  std::string unit;  // Says that it is a model's, e.g. "uJ-model"; never "J" or "uJ".
  // Half-width of the 95 % interval, relative; only of a model that was fitted to measured
  // energies.
  std::optional<double> relative_error = std::nullopt;

  EnergyTier tier() const {
    return relative_error ? EnergyTier::kModelFitted : EnergyTier::kModelTable;
  }
};

}  // namespace bitpilot
