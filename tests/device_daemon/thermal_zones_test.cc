#include "device_daemon/energy/thermal_zones.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/device_daemon/fake_sysfs.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Texts(const ZoneWatch& watch) {
  std::vector<std::string> texts;
  for (const IgnoredZone& zone : watch.ignored()) texts.push_back(zone.ToText());
  return texts;
}

TEST(ReadThermalZonesTest, TellsZonesOfOneTypeApart) {
  const FakeSysfs board;
  for (const char* zone : {"thermal_zone0", "thermal_zone1", "thermal_zone2", "thermal_zone3"}) {
    const std::string folder = "sys/class/thermal/" + std::string(zone) + "/";
    board.Write(folder + "type", zone == std::string("thermal_zone1") ? "cpu-thermal" : "acpitz");
    if (zone != std::string("thermal_zone3")) board.Write(folder + "temp", "41500");
  }
  std::vector<std::string> names;
  for (const ThermalZone& zone : ReadThermalZones(board.root())) {
    names.push_back(zone.name);
    EXPECT_DOUBLE_EQ(zone.celsius, 41.5);
  }
  EXPECT_THAT(names, ElementsAre("acpitz/thermal_zone0", "cpu-thermal", "acpitz/thermal_zone2"));
}

// The zones of a Jetson Nano; its power chip always says 100 C.
TEST(ZoneWatchTest, JudgesTheCpusZonesAndNamesTheOthers) {
  ZoneWatch watch;
  watch.Look(
      std::vector<ThermalZone>{
          {"AO-therm", 50.0}, {"CPU-therm", 41.5}, {"GPU-therm", 42.0}, {"PMIC-Die", 100.0}},
      0.0);
  EXPECT_EQ(watch.hottest_celsius(), 41.5);
  EXPECT_THAT(Texts(watch), ElementsAre("AO-therm (50.0 C): it is not the CPU's",
                                        "GPU-therm (42.0 C): it is not the CPU's",
                                        "PMIC-Die (100.0 C): it is not the CPU's"));
}

TEST(ZoneWatchTest, KnowsTheCpusZonesOfManyBoards) {
  for (const char* name :
       {"cpu-thermal", "cpu_thermal", "CPU-therm", "cpu-0-0-usr", "cpuss-1-usr", "mtktscpu",
        "soc-thermal", "package-thermal", "bigcore0-thermal", "littlecore-thermal", "x86_pkg_temp",
        "BIG", "MID", "LITTLE", "TCPU", "B0D4", "cpu-thermal/thermal_zone3"}) {
    ZoneWatch watch;
    watch.Look(std::vector<ThermalZone>{{name, 40.0}, {"battery", 60.0}}, 0.0);
    EXPECT_EQ(watch.hottest_celsius(), 40.0) << name;
  }
}

TEST(ZoneWatchTest, TakesAllZonesWhereNoneIsTheCpus) {
  ZoneWatch watch;
  watch.Look(std::vector<ThermalZone>{{"acpitz", 45.0}, {"pch_cannonlake", 52.0}}, 0.0);
  EXPECT_EQ(watch.hottest_celsius(), 52.0);
  EXPECT_THAT(watch.ignored(), IsEmpty());
  watch.Look({}, 1.0);
  EXPECT_FALSE(watch.hottest_celsius().has_value());
}

TEST(ZoneWatchTest, IgnoresAZoneThatStaysTooHotWhileTheCpuRests) {
  ZoneWatch watch;
  const std::vector<ThermalZone> zones = {{"Die", 100.0}, {"board", 44.0}};
  watch.Look(zones, 0.0);
  for (int second = 1; second < 5; ++second) watch.Look(zones, 1.0);
  for (int look = 0; look < 100; ++look) watch.Look(zones, 0.0);  // no rest between these
  EXPECT_EQ(watch.hottest_celsius(), 100.0) << "it may be true";
  watch.Look(zones, 1.0);
  EXPECT_EQ(watch.hottest_celsius(), 44.0);
  ASSERT_EQ(watch.ignored().size(), 1U);
  EXPECT_THAT(watch.ignored()[0].ToText(), HasSubstr("Die (100.0 C): it says the same"));
}

// A CPU that is really hot cools when it rests, and one that was seen to move is believed.
TEST(ZoneWatchTest, BelievesAHotZoneThatMoves) {
  ZoneWatch watch;
  watch.Look(std::vector<ThermalZone>{{"cpu-thermal", 97.0}}, 0.0);
  watch.Look(std::vector<ThermalZone>{{"cpu-thermal", 96.5}}, 1.0);
  for (int second = 0; second < 60; ++second) {
    watch.Look(std::vector<ThermalZone>{{"cpu-thermal", 96.5}}, 1.0);
  }
  EXPECT_EQ(watch.hottest_celsius(), 96.5);
}

TEST(ZoneWatchTest, IgnoresAZoneThatStandsStillWhileAnotherMoves) {
  ZoneWatch watch;
  watch.Look(std::vector<ThermalZone>{{"cpu0-thermal", 70.0}, {"cpu1-thermal", 45.0}}, 0.0);
  watch.Look(std::vector<ThermalZone>{{"cpu0-thermal", 70.0}, {"cpu1-thermal", 49.0}}, 0.0);
  EXPECT_EQ(watch.hottest_celsius(), 70.0);
  watch.Look(std::vector<ThermalZone>{{"cpu0-thermal", 70.0}, {"cpu1-thermal", 51.5}}, 0.0);
  EXPECT_EQ(watch.hottest_celsius(), 51.5);
  EXPECT_THAT(Texts(watch),
              ElementsAre("cpu0-thermal (70.0 C): it says the same at every look, while "
                          "cpu1-thermal moved by 6.5 C"));
  watch.Look(std::vector<ThermalZone>{{"cpu0-thermal", 71.0}, {"cpu1-thermal", 51.5}}, 0.0);
  EXPECT_EQ(watch.hottest_celsius(), 71.0) << "it lives";
}

}  // namespace
}  // namespace bitpilot
