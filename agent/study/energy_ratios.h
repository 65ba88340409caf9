// What one interleaved measurement of two networks says of their energies.
#pragma once

#include <optional>

#include "agent/study/study.h"
#include "kernels/base/energy.h"

namespace bitpilot {

// A model board's estimate in a row's conditions; none if the row has no such figure.
std::optional<ModelEnergy> ModelEnergyOf(const MeasurementRow& row);

// Of `candidate` to `uniform8`, two rows of one measurement. Measured and modelled ratios are
// different fields, and no row has both.
struct EnergyRatios {
  std::optional<EnergyRatio> measured;
  std::optional<double> model;
};
EnergyRatios EnergyRatiosOf(const MeasurementRow& candidate, const MeasurementRow& uniform8);

}  // namespace bitpilot
