// A measurement's row as the blob of its event: the fields in a fixed order, as FieldWriter writes
// them. Its SHA-256 is MeasurementSha256(), which the event's payload holds, so that the log chains
// the row.
#pragma once

#include <string>
#include <string_view>

#include "agent/study/field_writer.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

std::string MeasurementBlob(const MeasurementRow& row);

// The row whose MeasurementBlob() is `blob`.
//
// Errors: kDataCorrupt if there is none, says which field cannot be read.
Result<MeasurementRow> ParseMeasurementBlob(std::string_view blob);

// The fields of an energy, as they are hashed. REQUIRES: row.energy.
template <typename Sink>
void AddEnergy(const MeasurementRow& row, FieldWriter<Sink>& writer) {
  const MeasuredEnergy& energy = *row.energy;
  writer.Add(ToString(TierOf(energy.sensor()))).Add(energy.source());
  std::optional<double> net_uj, net_uncertainty_uj;
  if (energy.net()) {
    net_uj = energy.net()->value_uj;
    net_uncertainty_uj = energy.net()->uncertainty_uj;
  }
  writer.Add(energy.gross().value_uj).Add(energy.gross().uncertainty_uj);
  writer.Add(net_uj).Add(net_uncertainty_uj).Add(row.energy_window_uj);
}

}  // namespace bitpilot
