#include "agent/study/measurement_blob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "agent/study/event_chain.h"
#include "kernels/base/sha256.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

MeasurementRow PlainRow() {
  MeasurementRow row;
  row.measurement_id = "m1";
  row.candidate_id = "c1";
  row.assignment = "{}";
  row.board = R"({"name":"bench"})";
  row.tier = "STANDARD";
  row.status = "OK";
  row.detail = std::string("zero \0 byte, quote ' and \xff", 25);
  row.source = "measured";
  row.latency_median_ns = 1e6 / 3.0;
  row.latency_low_ns = 3e5;
  row.latency_high_ns = 4e5;
  row.window_ns = {3e5, 1e6 / 3.0, 4e5, std::numeric_limits<double>::denorm_min()};
  row.window_cpu_ns = {-0.0};
  row.conditions = "{}";
  return row;
}

MeasurementRow PlainRowWithEnergy(bool net) {
  MeasurementRow row = PlainRow();
  row.energy =
      MeasuredEnergy::Create(EnergySensor::kMeterExternal, "meter:bench", {1.0 / 3.0, 0.01},
                             net ? std::optional(EnergyFigure{0.1, 0.02}) : std::nullopt)
          .value();
  row.energy_window_uj = {0.33, 1.0 / 3.0};
  return row;
}

std::vector<MeasurementRow> PlainAndOddRows() {
  MeasurementRow row = PlainRow();
  row.window_ns[0] = std::nan("");
  return {PlainRow(),
          row,
          MeasurementRow(),
          CrashedRow("m2"),
          PlainRowWithEnergy(true),
          PlainRowWithEnergy(false)};
}

TEST(MeasurementBlobTest, GivesBackEveryFieldToTheBit) {
  for (const MeasurementRow& row : PlainAndOddRows()) {
    const std::string blob = MeasurementBlob(row);
    const MeasurementRow parsed = ValueOrDie(ParseMeasurementBlob(blob));
    EXPECT_EQ(MeasurementBlob(parsed), blob);
    EXPECT_EQ(parsed.measurement_id, row.measurement_id);
    EXPECT_EQ(parsed.detail, row.detail);
    EXPECT_EQ(parsed.conditions, row.conditions);
    EXPECT_EQ(parsed.latency_median_ns, row.latency_median_ns);
    EXPECT_EQ(parsed.latency_high_ns, row.latency_high_ns);
    EXPECT_EQ(parsed.window_ns.size(), row.window_ns.size());
    EXPECT_EQ(parsed.window_cpu_ns, row.window_cpu_ns);
    EXPECT_EQ(parsed.energy.has_value(), row.energy.has_value());
    EXPECT_EQ(parsed.energy_window_uj, row.energy_window_uj);
  }
}

TEST(MeasurementBlobTest, RefusesABlobThatIsCutOrGoesOn) {
  const MeasurementRow without = PlainRow();
  const std::size_t size_without = MeasurementBlob(without).size();
  const std::string blob = MeasurementBlob(PlainRowWithEnergy(true));
  for (std::size_t size = 0; size < blob.size(); ++size) {
    if (size == size_without) continue;  // A whole row without energy.
    EXPECT_EQ(ParseMeasurementBlob(blob.substr(0, size)).status().code(), StatusCode::kDataCorrupt)
        << size;
  }
  EXPECT_EQ(ParseMeasurementBlob(blob + '\0').status().code(), StatusCode::kDataCorrupt);
}

TEST(MeasurementBlobTest, RefusesSizesAndFlagsThatNoRowHas) {
  const std::string blob = MeasurementBlob(PlainRow());
  for (std::size_t i = 0; i < blob.size(); ++i) {
    std::string damaged = blob;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x80);
    const Result<MeasurementRow> parsed = ParseMeasurementBlob(damaged);
    if (parsed.ok()) {
      EXPECT_EQ(MeasurementBlob(*parsed), damaged) << i;
    }
  }
}

// Logs hold these hashes: an older bitpilot gave the same.
TEST(MeasurementBlobTest, HasTheHashThatLogsHold) {
  EXPECT_EQ(MeasurementSha256(PlainRow()),
            "504b1f19f6f7140754b474214dbcfc3d42b0d8c8f5aaf8a279f64a095019a676");
  EXPECT_EQ(MeasurementSha256(PlainRowWithEnergy(true)),
            "653b9424de7856da204a65ff58125151b50a6fd645fb8d4635abe95e98728d6a");
  EXPECT_EQ(MeasurementSha256(PlainRowWithEnergy(false)),
            "7ffd0608a6c119a1dc464ef4caa8ab8b683bbfd4513a6074bd1133023c10a107");
  EXPECT_EQ(Sha256Hex(MeasurementBlob(PlainRow())), MeasurementSha256(PlainRow()));
}

}  // namespace
}  // namespace bitpilot
