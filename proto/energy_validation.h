// What energies must satisfy: a part of validation.h, which is what others include.
#pragma once

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

Status ValidateEnergy(const v1::EnergyMeasurement& energy);
Status ValidateCapability(const v1::EnergyCapability& energy);

}  // namespace bitpilot
