#include "agent/session/moved_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

SearchConfig LocalConfig() {
  SearchConfig config;
  config.cpu = "3";
  config.meter = "meter-replay a.csv";
  return config;
}

TEST(MovedPartsTest, AnotherDeviceOrFleetComesWithoutTheOldOnesCpu) {
  MovedParts fleet;
  fleet.fleet = "fleet.toml";
  fleet.board = "pi";
  const SearchConfig on_fleet = ValueOrDie(Move(LocalConfig(), fleet));
  EXPECT_EQ(on_fleet.fleet, "fleet.toml");
  EXPECT_EQ(on_fleet.device + on_fleet.cpu + on_fleet.meter, "");
  MovedParts device;
  device.device = "local";
  EXPECT_EQ(ValueOrDie(Move(LocalConfig(), device)).cpu, "");
  EXPECT_EQ(ValueOrDie(Move(LocalConfig(), device)).meter, LocalConfig().meter);
  device.device = "model:a.cost";
  EXPECT_EQ(ValueOrDie(Move(LocalConfig(), device)).meter, "");
}

TEST(MovedPartsTest, TakesAndNotesAnotherCpu) {
  MovedParts moved;
  moved.cpu = "5";
  EXPECT_FALSE(moved.empty());
  const SearchConfig config = ValueOrDie(Move(LocalConfig(), moved));
  EXPECT_EQ(config.cpu, "5");
  EXPECT_EQ(config.device, "local");
  EXPECT_EQ(PlacesOf(config)["cpu"], "5");
}

TEST(MovedPartsTest, RefusesWhatNoSearchMayHave) {
  const auto refusal = [](const MovedParts& moved) {
    const Status status = Move(SearchConfig(), moved).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    return status.message();
  };
  MovedParts data;
  data.data = "caf\xe9";
  EXPECT_THAT(refusal(data), HasSubstr("--data"));
  MovedParts cpu;
  cpu.cpu = "\xff";
  EXPECT_THAT(refusal(cpu), HasSubstr("--cpu"));
  cpu.cpu = "5";
  cpu.fleet = "fleet.toml";
  EXPECT_THAT(refusal(cpu), HasSubstr("--cpu is for --device local"));
}

TEST(MovedPartsTest, RefusesToGoOnWithOrWithoutAComparisonOnTheWholeMachine) {
  MovedParts moved;
  moved.device = "local:avx2";
  EXPECT_EQ(Move(SearchConfig(), moved).status().code(), StatusCode::kVersionMismatch);
}

}  // namespace
}  // namespace bitpilot
