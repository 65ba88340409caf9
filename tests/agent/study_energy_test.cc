// Energies in a study: what a sensor measured comes back to the bit, what none measured is NULL,
// and a model's figure fits nowhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "agent/study/sqlite/sqlite_database.h"
#include "agent/study/sqlite/study_schema.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

// What measured fields are made of; and no estimate can be assigned to one.
using MeasuredField = decltype(MeasurementRow::energy);
static_assert(std::is_same_v<MeasuredField, std::optional<MeasuredEnergy>>);
static_assert(std::is_same_v<MeasuredField, decltype(FinalRow::energy)>);
static_assert(std::is_same_v<MeasuredEnergy, decltype(EnergyReading::energy)>);
static_assert(!std::is_assignable_v<MeasuredField&, decltype(FinalRow::model_energy)>);
static_assert(!std::is_assignable_v<MeasuredField&, decltype(NetworkMeasurement::model_energy)>);
static_assert(!std::is_assignable_v<MeasuredField&, ModelEnergy>);
static_assert(!std::is_assignable_v<MeasuredField&, double>);

MeasuredEnergy JoulesOfAMeter(std::optional<EnergyFigure> net) {
  return MeasuredEnergy::Create(EnergySensor::kMeterExternal, "meter:bench", {1.0 / 3.0, 0.01}, net)
      .value();
}

MeasurementRow RowWithEnergy(const std::string& id, std::optional<EnergyFigure> net) {
  MeasurementRow row = MeasuredRow(id, 1e6);
  row.energy = JoulesOfAMeter(net);
  row.energy_window_uj = {0.33, 1.0 / 3.0, 0.34};
  return row;
}

class StudyEnergyTest : public testing::Test {
 protected:
  std::string Query(const std::string& sql) const {
    const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadOnly));
    return ValueOrDie(raw->QueryText(sql));
  }

  Status WriteRow(const MeasurementRow& row) {
    const auto study = ValueOrDie(Study::Create(path_, R"({"seed":7})"));
    const Status stored = study->AppendMeasurement(row);
    EXPECT_TRUE(study->Close().ok());
    return stored;
  }

  StudyFolder folder_;
  std::string path_ = folder_.Path("a.db");
};

TEST_F(StudyEnergyTest, ReturnsEveryBitOfAMeasuredEnergy) {
  ASSERT_TRUE(WriteRow(RowWithEnergy("m", EnergyFigure{0.1, 0.02})).ok());
  EXPECT_EQ(Problem(path_), "");
  const auto study = ValueOrDie(Study::OpenReadOnly(path_));
  const MeasurementRow row = ValueOrDie(study->FindMeasurement("m")).value();
  ASSERT_TRUE(row.energy.has_value());
  EXPECT_EQ(row.energy->sensor(), EnergySensor::kMeterExternal);
  EXPECT_EQ(row.energy->source(), "meter:bench");
  EXPECT_EQ(row.energy->gross().value_uj, 1.0 / 3.0);
  EXPECT_EQ(row.energy->gross().uncertainty_uj, 0.01);
  EXPECT_EQ(row.energy->net()->value_uj, 0.1);
  EXPECT_EQ(row.energy->net()->uncertainty_uj, 0.02);
  EXPECT_EQ(row.energy_window_uj, (std::vector<double>{0.33, 1.0 / 3.0, 0.34}));
}

TEST_F(StudyEnergyTest, KeepsAGrossEnergyWithoutANetOne) {
  ASSERT_TRUE(WriteRow(RowWithEnergy("m", std::nullopt)).ok());
  const auto study = ValueOrDie(Study::OpenReadOnly(path_));
  EXPECT_FALSE(ValueOrDie(study->FindMeasurement("m"))->energy->net().has_value());
  EXPECT_EQ(Query("SELECT energy_net_uj IS NULL AND energy_net_uncertainty_uj IS NULL "
                  "FROM measurement"),
            "1");
}

TEST_F(StudyEnergyTest, IsNullWhereNothingWasMeasured) {
  ASSERT_TRUE(WriteRow(MeasuredRow("m", 1e6)).ok());
  EXPECT_EQ(Query("SELECT energy_tier || coalesce(energy_source, '-') || "
                  "coalesce(energy_gross_uj, '-') || coalesce(energy_gross_uncertainty_uj, '-') || "
                  "coalesce(energy_net_uj, '-') || coalesce(energy_net_uncertainty_uj, '-') || "
                  "coalesce(energy_window_uj, '-') FROM measurement"),
            "NONE------");
  const auto study = ValueOrDie(Study::OpenReadOnly(path_));
  EXPECT_FALSE(ValueOrDie(study->FindMeasurement("m"))->energy.has_value());
}

TEST_F(StudyEnergyTest, RefusesAnEnergyBesideAModelsLatency) {
  MeasurementRow row = RowWithEnergy("m", std::nullopt);
  row.source = "MODEL:mpic";
  EXPECT_THAT(WriteRow(row).message(), HasSubstr("MODEL:mpic"));
}

TEST_F(StudyEnergyTest, RefusesAnEnergyOfAFailedMeasurement) {
  MeasurementRow row = CrashedRow("m");
  row.energy = JoulesOfAMeter(std::nullopt);
  EXPECT_THAT(WriteRow(row).message(), HasSubstr("CRASH"));
}

TEST_F(StudyEnergyTest, RefusesWindowsThatAreNotNumbersOrHaveNoEnergy) {
  MeasurementRow row = RowWithEnergy("m", std::nullopt);
  row.energy_window_uj[1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(WriteRow(row).ok());
  path_ = folder_.Path("b.db");
  row = MeasuredRow("m", 1e6);
  row.energy_window_uj = {1.0};
  EXPECT_FALSE(WriteRow(row).ok());
}

// The file itself has no room for a model's figure, or for a figure without a sensor.
TEST_F(StudyEnergyTest, TheSchemaRefusesModelsAndFiguresOfNobody) {
  ASSERT_TRUE(WriteRow(MeasuredRow("m", 1e6)).ok());
  const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite));
  ASSERT_TRUE(raw->Execute("DROP TRIGGER measurement_no_update").ok());
  const std::string whole =
      "UPDATE measurement SET energy_source = 'x', energy_gross_uj = 2, "
      "energy_gross_uncertainty_uj = 0, energy_window_uj = x'0000000000000040', energy_tier = ";
  for (const char* tier : {"'MODEL_TABLE'", "'MODEL_FITTED'", "'NONE'", "NULL", "''"}) {
    EXPECT_FALSE(raw->Execute(whole + tier).ok()) << tier;
  }
  for (const char* part :
       {"energy_gross_uj = 2", "energy_net_uj = 2", "energy_tier = 'SENSOR_ONBOARD'",
        "energy_tier = 'SENSOR_ONBOARD', energy_source = 'x'"}) {
    EXPECT_FALSE(raw->Execute(std::string("UPDATE measurement SET ") + part).ok()) << part;
  }
  EXPECT_TRUE(raw->Execute(whole + "'SENSOR_ONBOARD'").ok());
  EXPECT_FALSE(raw->Execute("UPDATE measurement SET energy_gross_uj = -2").ok());
  EXPECT_FALSE(raw->Execute("UPDATE measurement SET energy_net_uj = 1").ok());
  EXPECT_FALSE(raw->Execute("UPDATE measurement SET energy_gross_uncertainty_uj = -1").ok());
}

TEST_F(StudyEnergyTest, NamesTheEnergyThatWasAltered) {
  int number = 0;
  for (const char* edit :
       {"energy_gross_uj = energy_gross_uj * 1.000001", "energy_tier = 'SENSOR_ONBOARD'",
        "energy_source = 'meter:other'", "energy_net_uncertainty_uj = 0.03",
        "energy_net_uj = NULL, energy_net_uncertainty_uj = NULL",
        "energy_window_uj = x'0000000000000040'",
        "energy_tier = 'NONE', energy_source = NULL, energy_gross_uj = NULL, "
        "energy_gross_uncertainty_uj = NULL, energy_net_uj = NULL, energy_net_uncertainty_uj = "
        "NULL, energy_window_uj = NULL"}) {
    path_ = folder_.Path("altered-" + std::to_string(number++));
    ASSERT_TRUE(WriteRow(RowWithEnergy("m", EnergyFigure{0.1, 0.02})).ok());
    const std::string trigger =
        Query("SELECT sql FROM sqlite_schema WHERE name = 'measurement_no_update'");
    const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite));
    ASSERT_TRUE(raw->Execute("DROP TRIGGER measurement_no_update; UPDATE measurement SET " +
                             std::string(edit) + "; " + trigger)
                    .ok())
        << edit;
    EXPECT_EQ(Problem(path_), "2: measurement m was altered") << edit;
  }
}

// As version 1 left it: the columns of energy are not there.
void RemoveEnergyColumns(const std::string& path) {
  const auto raw = ValueOrDie(SqliteDatabase::Open(path, SqliteMode::kReadWrite));
  for (const char* column :
       {"energy_window_uj", "energy_net_uncertainty_uj", "energy_net_uj",
        "energy_gross_uncertainty_uj", "energy_gross_uj", "energy_source", "energy_tier"}) {
    const Status dropped =
        raw->Execute(std::string("ALTER TABLE measurement DROP COLUMN ") + column);
    ASSERT_TRUE(dropped.ok()) << dropped.message();
  }
  ASSERT_TRUE(raw->Execute("PRAGMA user_version = 1").ok());
}

TEST_F(StudyEnergyTest, ReadsVerifiesAndContinuesAStudyOfVersion1) {
  ASSERT_TRUE(WriteRow(MeasuredRow("m", 1e6)).ok());
  RemoveEnergyColumns(path_);
  const std::string before = ReadBytes(path_);
  EXPECT_EQ(Problem(path_), "");
  {
    const auto reader = ValueOrDie(Study::OpenReadOnly(path_));
    EXPECT_EQ(ValueOrDie(reader->Measurements()).size(), 1u);
  }
  EXPECT_EQ(ReadBytes(path_), before);
  const auto study = ValueOrDie(Study::OpenForResume(path_));
  ASSERT_TRUE(study->AppendMeasurement(RowWithEnergy("n", std::nullopt)).ok());
  ASSERT_TRUE(study->Close().ok());
  EXPECT_EQ(Problem(path_), "");
  EXPECT_EQ(Query("PRAGMA user_version"), std::to_string(CurrentSchemaVersion()));
}

// What a cast lets through the compiler, the only maker of measured energies refuses.
TEST(MeasuredEnergyTest, RefusesAModelThatWasCastToASensor) {
  for (const EnergyTier tier :
       {EnergyTier::kModelTable, EnergyTier::kModelFitted, EnergyTier::kNone}) {
    const Status refused = MeasuredEnergy::Create(static_cast<EnergySensor>(tier), "meter:bench",
                                                  {128.2, 0.1}, std::nullopt)
                               .status();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(refused.message(), HasSubstr(std::string(ToString(tier))));
    EXPECT_FALSE(ParseEnergySensor(ToString(tier)).ok());
  }
}

TEST(EnergyEventTest, ReturnsAFinalRowsEnergyAndTheReasonForItsAbsence) {
  FinalEvent event;
  event.rows.resize(2);
  event.rows[0].energy = JoulesOfAMeter(EnergyFigure{0.1, 0.02});
  event.rows[0].energy_ratio = EnergyRatio{0.7, 0.01};
  event.rows[1].no_energy_reason = "the meter has ended";
  const FinalEvent parsed = ValueOrDie(ParseEvent<FinalEvent>(ToJson(event)));
  EXPECT_EQ(parsed.rows.at(0).energy->gross().value_uj, 1.0 / 3.0);
  EXPECT_EQ(parsed.rows.at(0).energy->net()->value_uj, 0.1);
  EXPECT_EQ(parsed.rows.at(0).energy_ratio->value, 0.7);
  EXPECT_FALSE(parsed.rows.at(1).energy.has_value());
  EXPECT_EQ(parsed.rows.at(1).no_energy_reason, "the meter has ended");
}

TEST(EnergyEventTest, RefusesAModelsTierInAMeasuredField) {
  FinalEvent event;
  event.rows.resize(1);
  event.rows[0].energy = JoulesOfAMeter(std::nullopt);
  for (const char* tier : {"MODEL_TABLE", "MODEL_FITTED", "NONE", ""}) {
    std::string payload = ToJson(event);
    payload.replace(payload.find("METER_EXTERNAL"), 14, tier);
    const Result<FinalEvent> parsed = ParseEvent<FinalEvent>(payload);
    EXPECT_FALSE(parsed.ok()) << tier;
  }
}

TEST(EnergyEventTest, ReadsConditionsAndBoardsThatKnewNothingOfEnergy) {
  MeasurementConditions conditions;
  conditions.energy = EnergyConditions{"VDD_IN", "", 1.5, 1e6, 2.0, 4000, 800};
  EXPECT_EQ(ValueOrDie(ParseEvent<MeasurementConditions>(ToJson(conditions))).energy->samples,
            800u);
  const MeasurementConditions old = ValueOrDie(ParseEvent<MeasurementConditions>(
      R"({"confidence":0.96,"inferences_per_window":4,"drift":0,"duration_ms":1,)"
      R"("involuntary_context_switches":0,"load_average":null,"kernels":[],"operation_ns":[],)"
      R"("model_energy":null,"model_energy_unit":""})"));
  EXPECT_FALSE(old.energy.has_value());
  BoardInfo board;
  board.energy.tier = EnergyTier::kSensorOnboard;
  board.energy.source = "rapl:package-0";
  const BoardInfo parsed = ValueOrDie(ParseEvent<BoardInfo>(ToJson(board)));
  EXPECT_EQ(parsed.energy.tier, EnergyTier::kSensorOnboard);
  EXPECT_TRUE(parsed.energy.measures());
}

}  // namespace
}  // namespace bitpilot
