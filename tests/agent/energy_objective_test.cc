#include "agent/session/energy_objective.h"
#include "agent/study/energy_ratios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

MeasurementRow RowOfModel(double energy, const std::string& unit) {
  MeasurementRow row = MeasuredRow("m", 1e6);
  row.source = "MODEL:mpic";
  MeasurementConditions conditions;
  conditions.model_energy = energy;
  conditions.model_energy_unit = unit;
  row.conditions = ToJson(conditions);
  return row;
}

// An instrument that is good for 30 %, and four rounds whose energies drift by a tenth.
MeasurementRow RowOfSensor(double gross_uj, const std::string& source) {
  MeasurementRow row = MeasuredRow("m", 1e6);
  row.energy = MeasuredEnergy::Create(EnergySensor::kSensorOnboard, source,
                                      {gross_uj, 0.3 * gross_uj}, std::nullopt)
                   .value();
  row.energy_window_uj = {0.96 * gross_uj, 0.98 * gross_uj, 1.02 * gross_uj, 1.04 * gross_uj};
  return row;
}

SearchConfig SearchingEnergy() {
  SearchConfig config;
  config.energy = "search";
  return config;
}

BoardInfo BoardWithReason(const std::string& reason) {
  BoardInfo board;
  board.name = "bench";
  board.backend = "kernels";
  board.energy.reason = reason;
  return board;
}

TEST(ChooseEnergyObjectiveTest, IsNoneUnlessAskedFor) {
  BoardInfo board = BoardWithReason("");
  board.energy.source = "rapl:package-0";
  EXPECT_EQ(*ChooseEnergyObjective(SearchConfig(), board, RowOfSensor(1, "rapl:package-0")),
            EnergyObjective::kNone);
  SearchConfig budget;
  budget.budgets.max_energy_ratio = 0.7;
  EXPECT_EQ(*ChooseEnergyObjective(budget, board, MeasuredRow("m", 1e6)),
            EnergyObjective::kMeasured);
}

TEST(ChooseEnergyObjectiveTest, RefusesABoardThatMeasuresNothingWithItsReason) {
  const Status refused =
      ChooseEnergyObjective(SearchingEnergy(), BoardWithReason("energy_uj is for root only"),
                            MeasuredRow("m", 1e6))
          .status();
  EXPECT_EQ(refused.code(), StatusCode::kUnsupported);
  EXPECT_THAT(refused.message(), HasSubstr("energy_uj is for root only"));
}

TEST(ChooseEnergyObjectiveTest, TakesAModelsEnergiesUnderTheirOwnName) {
  BoardInfo board = BoardWithReason("the board is a model");
  board.backend = "model:mpic";
  EXPECT_EQ(*ChooseEnergyObjective(SearchingEnergy(), board, RowOfModel(128.2, "uJ-model")),
            EnergyObjective::kModel);
  EXPECT_FALSE(ChooseEnergyObjective(SearchingEnergy(), board, MeasuredRow("m", 1e6)).ok());
}

TEST(EnergyRatiosTest, DividesGrossEnergiesOfOneSensorRoundByRound) {
  const EnergyRatios ratios = EnergyRatiosOf(RowOfSensor(60, "a"), RowOfSensor(80, "a"));
  ASSERT_TRUE(ratios.measured.has_value());
  EXPECT_NEAR(ratios.measured->value, 0.75, 1e-12);
  // What both windows of a round share cancels: the drift, and the instrument's error.
  EXPECT_NEAR(ratios.measured->uncertainty, 0.0, 1e-12);
  EXPECT_FALSE(ratios.model.has_value());

  // Ratios 0.72, 0.75, 0.78: standard error 0.03 / sqrt(3), t of two degrees of freedom 4.3027.
  MeasurementRow candidate = RowOfSensor(60, "a");
  MeasurementRow uniform8 = RowOfSensor(80, "a");
  candidate.energy_window_uj = {72.0, 60.0, 78.0};
  uniform8.energy_window_uj = {100.0, 80.0, 100.0};
  const EnergyRatios scattered = EnergyRatiosOf(candidate, uniform8);
  ASSERT_TRUE(scattered.measured.has_value());
  EXPECT_NEAR(scattered.measured->value, 0.75, 1e-12);
  EXPECT_NEAR(scattered.measured->uncertainty, 0.0745, 1e-4);
}

TEST(EnergyRatiosTest, HasNoRatioWithoutRoundsToPair) {
  MeasurementRow candidate = RowOfSensor(60, "a");
  candidate.energy_window_uj.pop_back();
  EXPECT_FALSE(EnergyRatiosOf(candidate, RowOfSensor(80, "a")).measured.has_value());
  candidate.energy_window_uj.resize(1);
  EXPECT_FALSE(EnergyRatiosOf(candidate, candidate).measured.has_value());
}

TEST(EnergyRatiosTest, NeverMixesSensorsUnitsOrModelsWithMeasurements) {
  EXPECT_FALSE(EnergyRatiosOf(RowOfSensor(60, "a"), RowOfSensor(80, "b")).measured.has_value());
  const EnergyRatios mixed = EnergyRatiosOf(RowOfModel(60, "uJ-model"), RowOfSensor(80, "a"));
  EXPECT_FALSE(mixed.measured.has_value());
  EXPECT_FALSE(mixed.model.has_value());
  EXPECT_FALSE(
      EnergyRatiosOf(RowOfModel(60, "uJ-model"), RowOfModel(80, "pJ-model")).model.has_value());
  const EnergyRatios modelled =
      EnergyRatiosOf(RowOfModel(60, "uJ-model"), RowOfModel(80, "uJ-model"));
  EXPECT_FALSE(modelled.measured.has_value());
  EXPECT_DOUBLE_EQ(*modelled.model, 0.75);
}

}  // namespace
}  // namespace bitpilot
