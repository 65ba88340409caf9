#include "agent/study/measurement_blob.h"

#include <bit>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace bitpilot {
namespace {

// Takes fields off the front of a blob. After the first one that is not there or not in the form
// that FieldWriter gives it, ok() is false and all others are empty.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  std::int64_t Int() {
    const std::string_view bytes = Take(8);
    std::uint64_t bits = 0;
    for (std::size_t i = bytes.size(); i > 0; --i) {
      bits = bits << 8 | static_cast<unsigned char>(bytes[i - 1]);
    }
    return static_cast<std::int64_t>(bits);
  }
  std::string Text() { return std::string(Take(Size(1))); }
  double Double() { return std::bit_cast<double>(Int()); }
  std::optional<double> OptionalDouble() {
    const std::int64_t has_value = Int();
    ok_ = ok_ && (has_value == 0 || has_value == 1);
    return ok_ && has_value == 1 ? std::optional(Double()) : std::nullopt;
  }
  std::vector<double> Doubles() {
    std::vector<double> values(Size(sizeof(double)));
    for (double& value : values) value = Double();
    return values;
  }

 private:
  // A number of items, which must all be there.
  std::size_t Size(std::size_t item_bytes) {
    const std::int64_t size = Int();
    ok_ = ok_ && size >= 0 && static_cast<std::uint64_t>(size) <= rest_.size() / item_bytes;
    return ok_ ? static_cast<std::size_t>(size) : 0;
  }
  std::string_view Take(std::size_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

Status BadBlob(const std::string& measurement_id, const std::string& what) {
  return DataCorrupt("measurement " + measurement_id + ": " + what);
}

Status ReadEnergyFields(FieldReader& fields, MeasurementRow& row) {
  const std::string tier = fields.Text();
  std::string source = fields.Text();
  const EnergyFigure gross{fields.Double(), fields.Double()};
  const std::optional<double> net_uj = fields.OptionalDouble();
  const std::optional<double> net_uncertainty_uj = fields.OptionalDouble();
  row.energy_window_uj = fields.Doubles();
  if (!fields.ok() || net_uj.has_value() != net_uncertainty_uj.has_value()) {
    return BadBlob(row.measurement_id, "its energy does not have the fields of one");
  }
  const Result<EnergySensor> sensor = ParseEnergySensor(tier);
  if (!sensor.ok()) return BadBlob(row.measurement_id, sensor.status().message());
  std::optional<EnergyFigure> net;
  if (net_uj) net = EnergyFigure{*net_uj, *net_uncertainty_uj};
  Result<MeasuredEnergy> energy = MeasuredEnergy::Create(*sensor, std::move(source), gross, net);
  if (!energy.ok()) return BadBlob(row.measurement_id, energy.status().message());
  row.energy = std::move(*energy);
  return Status();
}

}  // namespace

std::string MeasurementBlob(const MeasurementRow& row) {
  FieldBytes blob;
  FieldWriter writer(blob);
  for (const std::string* text :
       {&row.measurement_id, &row.candidate_id, &row.assignment, &row.board, &row.tier, &row.status,
        &row.detail, &row.source, &row.conditions}) {
    writer.Add(*text);
  }
  writer.Add(row.latency_median_ns).Add(row.latency_low_ns).Add(row.latency_high_ns);
  writer.Add(row.window_ns).Add(row.window_cpu_ns);
  // Rows without energy have the image that they had before there was any.
  if (row.energy) AddEnergy(row, writer);
  return std::move(blob.bytes);
}

Result<MeasurementRow> ParseMeasurementBlob(std::string_view blob) {
  FieldReader fields(blob);
  MeasurementRow row;
  for (std::string* text : {&row.measurement_id, &row.candidate_id, &row.assignment, &row.board,
                            &row.tier, &row.status, &row.detail, &row.source, &row.conditions}) {
    *text = fields.Text();
  }
  for (std::optional<double>* value :
       {&row.latency_median_ns, &row.latency_low_ns, &row.latency_high_ns}) {
    *value = fields.OptionalDouble();
  }
  row.window_ns = fields.Doubles();
  row.window_cpu_ns = fields.Doubles();
  if (!fields.ok()) return BadBlob(row.measurement_id, "its blob ends within the row");
  if (fields.at_end()) return row;
  BITPILOT_RETURN_IF_ERROR(ReadEnergyFields(fields, row));
  if (!fields.at_end()) return BadBlob(row.measurement_id, "its blob goes on after the row");
  return row;
}

}  // namespace bitpilot
