#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device_daemon/energy/battery.h"
#include "device_daemon/energy/board_state.h"
#include "device_daemon/energy/discovery.h"
#include "device_daemon/energy/energy_estimate.h"
#include "device_daemon/energy/hwmon.h"
#include "device_daemon/energy/iio_rails.h"
#include "device_daemon/energy/pmic.h"
#include "device_daemon/energy/rapl.h"
#include "device_daemon/energy/sysfs.h"
#include "tests/device_daemon/fake_sysfs.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kPackage0[] = "sys/class/powercap/intel-rapl:0/";

void WriteZone(const FakeSysfs& tree, const std::string& zone, std::string_view name,
               std::string_view energy_uj) {
  const std::string folder = "sys/class/powercap/" + zone + "/";
  tree.Write(folder + "name", name);
  tree.Write(folder + "max_energy_range_uj", "262143328850");
  tree.Write(folder + "energy_uj", energy_uj);
}

// A tenth of a second in which `change` happens, and no longer.
TrialClock Trial(std::function<void()> change) {
  const auto now_ns = std::make_shared<std::int64_t>(0);
  return {[now_ns] { return *now_ns; },
          [now_ns, change = std::move(change)](std::int64_t duration_ns) {
            *now_ns += duration_ns;
            change();
          }};
}

// `zones` count 20 000 uJ more with every trial: 0.2 W.
TrialClock Counting(const FakeSysfs& tree, const std::vector<std::string>& zones) {
  return Trial([&tree, zones] {
    for (const std::string& zone : zones) {
      const std::string file = "sys/class/powercap/" + zone + "/energy_uj";
      tree.Write(file, std::to_string(*ReadSysfsNumber(tree.root() / file) + 20'000));
    }
  });
}

// The values of a recording with one Poll() between; `change` runs before each poll but the first.
template <typename Change>
std::vector<double> Record(EnergySource& source, Change change) {
  EXPECT_TRUE(source.Start(0).ok());
  change();
  const Result<EnergyTrace> trace = source.Finish(1'000'000'000);
  EXPECT_TRUE(trace.ok()) << trace.status().message();
  std::vector<double> values;
  if (trace.ok()) {
    for (const EnergySample& sample : trace->samples) values.push_back(sample.value);
  }
  return values;
}

TEST(WrappingCounterTest, AddsAcrossTheWrap) {
  WrappingCounter counter(1000);
  EXPECT_EQ(*counter.Advance(900), 0);
  EXPECT_EQ(*counter.Advance(1000), 100);
  EXPECT_EQ(*counter.Advance(50), 150);
  EXPECT_EQ(*counter.Advance(50), 150);
  EXPECT_EQ(counter.Advance(1001).status().code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(counter.Advance(-1).status().code(), StatusCode::kDataCorrupt);
}

TEST(RaplTest, CountsThroughTheWrapOfTheCounter) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "262142980000");
  const auto found = FindRapl(tree.sys(), Counting(tree, {"intel-rapl:0"}));
  ASSERT_THAT(found, SizeIs(1));
  ASSERT_TRUE(found[0].status.ok()) << found[0].status.message();
  const auto values = Record(*found[0].source, [&] {
    tree.Write(std::string(kPackage0) + "energy_uj", "1671150");  // 328850 uJ before zero
  });
  EXPECT_THAT(values, ::testing::ElementsAre(0.0, ::testing::DoubleNear(2.0, 1e-9)));
}

TEST(RaplTest, CountsPackagesOnceAndNeitherTheirPartsNorThePlatform) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "100");
  WriteZone(tree, "intel-rapl:0:0", "core", "100");
  WriteZone(tree, "intel-rapl:0:1", "dram", "100");
  WriteZone(tree, "intel-rapl:1", "package-1", "100");
  WriteZone(tree, "intel-rapl:2", "psys", "100");
  WriteZone(tree, "intel-rapl-mmio:0", "package-0", "100");
  const auto found = FindRapl(tree.sys(), Counting(tree, {"intel-rapl:0", "intel-rapl:1"}));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].name, "rapl:package-0+package-1");
  ASSERT_TRUE(found[0].status.ok()) << found[0].status.message();
  for (const char* zone : {"intel-rapl:0", "intel-rapl:1"}) {
    tree.Write(std::string("sys/class/powercap/") + zone + "/energy_uj", "100");
  }
  const auto values = Record(*found[0].source, [&] {
    for (const char* zone : {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1",
                             "intel-rapl:2", "intel-rapl-mmio:0"}) {
      tree.Write(std::string("sys/class/powercap/") + zone + "/energy_uj", "1000100");
    }
  });
  EXPECT_THAT(values, ::testing::ElementsAre(0.0, 2.0));
}

TEST(RaplTest, SaysWhichFileToPermitWhenTheCounterIsForRootOnly) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "100");
  const std::filesystem::path counter = tree.root() / kPackage0 / "energy_uj";
  std::filesystem::permissions(counter, std::filesystem::perms::none);
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(seteuid(65534), 0);  // Root may read everything: look as nobody.
  }
  const auto found = FindRapl(tree.sys());
  if (is_root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].source, nullptr);
  EXPECT_EQ(found[0].status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(found[0].status.message(), HasSubstr("sudo chmod a+r " + counter.string()));
}

TEST(RaplTest, RefusesCountersThatTheyCannotFollow) {
  for (const std::string_view range : {"0", "-1", "", "12x", "99999999999999999999"}) {
    const FakeSysfs tree;
    WriteZone(tree, "intel-rapl:0", "package-0", "100");
    tree.Write(std::string(kPackage0) + "max_energy_range_uj", range);
    const auto found = FindRapl(tree.sys());
    ASSERT_THAT(found, SizeIs(1)) << range;
    EXPECT_EQ(found[0].status.code(), StatusCode::kDataCorrupt) << range;
  }
}

// What the measurement would refuse, `check` must not call usable.
TEST(RaplTest, RefusesACounterThatCannotBeTrue) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "262143328851");  // One above its range.
  const auto beyond = FindRapl(tree.sys(), Trial([] {}));
  ASSERT_THAT(beyond, SizeIs(1));
  EXPECT_EQ(beyond[0].status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(beyond[0].status.message(), HasSubstr("intel-rapl:0/energy_uj"));
  WriteZone(tree, "intel-rapl:0", "package-0", "0");
  const auto still = FindRapl(tree.sys(), Trial([] {}));
  EXPECT_EQ(still[0].status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(still[0].status.message(), HasSubstr("stood still"));
  // 1001 W.
  const auto leaping = FindRapl(
      tree.sys(), Trial([&] { WriteZone(tree, "intel-rapl:0", "package-0", "100100000"); }));
  EXPECT_THAT(leaping[0].status.message(), HasSubstr("1001.0"));
}

TEST(RaplTest, RefusesOneOfTwoPackagesThatCountsNothing) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "100");
  WriteZone(tree, "intel-rapl:1", "package-1", "0");
  const auto found = FindRapl(tree.sys(), Counting(tree, {"intel-rapl:0"}));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].status.message(),
              HasSubstr("rapl:package-1: the energy counter stood still"));
}

TEST(RaplTest, IsReadAsSeldomAsItsShortestWindowAllows) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "100");
  const auto found = FindRapl(tree.sys(), Counting(tree, {"intel-rapl:0"}));
  ASSERT_TRUE(found[0].status.ok()) << found[0].status.message();
  EXPECT_EQ(found[0].source->poll_interval_ns(), 10'000'000);
  EXPECT_EQ(MinWindowNs(found[0].source->info()), 2'000'000'000);
}

// A Jetson's chip at any index: three rails, the second switched off, the third without a shunt.
void WriteIna3221(const FakeSysfs& tree, const std::string& hwmon) {
  const std::string folder = "sys/class/hwmon/" + hwmon + "/";
  tree.Write(folder + "name", "ina3221");
  tree.Write(folder + "update_interval", "110");
  const char* labels[] = {"VDD_IN", "VDD_CPU", "VDD_SOC"};
  for (int rail = 1; rail <= 3; ++rail) {
    const std::string number = std::to_string(rail);
    tree.Write(folder + "in" + number + "_label", labels[rail - 1]);
    tree.Write(folder + "in" + number + "_enable", rail == 2 ? "0" : "1");
    tree.Write(folder + "in" + number + "_input", "5000");
    tree.Write(folder + "curr" + number + "_input", "2000");
    tree.Write(folder + "shunt" + number + "_resistor", rail == 3 ? "0" : "5000");
    tree.Write(folder + "in" + std::to_string(rail + 3) + "_input", "10");  // Shunt voltage.
  }
}

TEST(HwmonTest, FindsRailsByNameAndLabelWhateverTheIndex) {
  for (const char* hwmon : {"hwmon0", "hwmon7"}) {
    const FakeSysfs tree;
    tree.Write("sys/class/hwmon/hwmon3/name", "coretemp");
    WriteIna3221(tree, hwmon);
    const auto found = FindHwmonRails(tree.sys());
    ASSERT_THAT(found, SizeIs(3));
    EXPECT_EQ(found[0].name, "hwmon:ina3221/VDD_CPU");
    EXPECT_EQ(found[0].status.code(), StatusCode::kUnsupported);
    EXPECT_THAT(found[0].status.message(), HasSubstr("in2_enable"));
    EXPECT_EQ(found[1].name, "hwmon:ina3221/VDD_IN");
    ASSERT_TRUE(found[1].status.ok()) << found[1].status.message();
    EXPECT_EQ(found[1].source->info().period_ns, 110'000'000);
    EXPECT_THAT(Record(*found[1].source, [] {}), ::testing::ElementsAre(10.0, 10.0));
    EXPECT_EQ(found[2].name, "hwmon:ina3221/VDD_SOC");
    EXPECT_EQ(found[2].status.code(), StatusCode::kDataCorrupt);
    EXPECT_THAT(found[2].status.message(), HasSubstr("shunt3_resistor"));
  }
}

TEST(HwmonTest, RefusesARailThatNobodyLabelled) {
  const FakeSysfs tree;
  WriteIna3221(tree, "hwmon0");
  std::filesystem::remove(tree.sys() / "class/hwmon/hwmon0/in1_label");
  const auto found = FindHwmonRails(tree.sys());
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[2].name, "hwmon:ina3221/channel 1");
  EXPECT_EQ(found[2].status.code(), StatusCode::kNotFound);
}

TEST(HwmonTest, ReadsAChipWithOneRail) {
  const FakeSysfs tree;
  tree.Write("sys/class/hwmon/hwmon2/name", "ina226");
  tree.Write("sys/class/hwmon/hwmon2/in0_input", "12");
  tree.Write("sys/class/hwmon/hwmon2/in1_input", "12000");
  tree.Write("sys/class/hwmon/hwmon2/curr1_input", "250");
  tree.Write("sys/class/hwmon/hwmon2/update_interval", "35");
  tree.Write("sys/class/hwmon/hwmon2/shunt_resistor", "10000");
  auto found = FindHwmonRails(tree.sys());
  ASSERT_THAT(found, SizeIs(1));
  ASSERT_TRUE(found[0].status.ok());
  EXPECT_THAT(Record(*found[0].source, [] {}), ::testing::ElementsAre(3.0, 3.0));
  tree.Write("sys/class/hwmon/hwmon2/shunt_resistor", "0");
  EXPECT_EQ(FindHwmonRails(tree.sys())[0].status.code(), StatusCode::kDataCorrupt);
}

TEST(HwmonTest, ReadsTheChipsOfTheIna238Driver) {
  for (const char* name : {"ina228", "ina237", "ina238"}) {
    const FakeSysfs tree;
    tree.Write("sys/class/hwmon/hwmon1/name", name);
    tree.Write("sys/class/hwmon/hwmon1/in1_input", "5100");
    tree.Write("sys/class/hwmon/hwmon1/curr1_input", "1000");
    tree.Write("sys/class/hwmon/hwmon1/temp1_input", "31000");
    const auto found = FindHwmonRails(tree.sys());
    ASSERT_THAT(found, SizeIs(1)) << name;
    ASSERT_TRUE(found[0].status.ok()) << found[0].status.message();
    EXPECT_EQ(found[0].name, std::string("hwmon:") + name);
    EXPECT_EQ(found[0].source->info().period_ns, 50'500'000);
    EXPECT_THAT(Record(*found[0].source, [] {}), ::testing::ElementsAre(5.1, 5.1));
  }
}

TEST(HwmonTest, RefusesACurrentThatFlowsBackwardAndNoneAtAll) {
  for (const char* milliampere : {"-250", "0"}) {
    const FakeSysfs tree;
    tree.Write("sys/class/hwmon/hwmon2/name", "ina226");
    tree.Write("sys/class/hwmon/hwmon2/in1_input", "12000");
    tree.Write("sys/class/hwmon/hwmon2/curr1_input", milliampere);
    const auto found = FindHwmonRails(tree.sys());
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].status.code(), StatusCode::kDataCorrupt) << milliampere;
    EXPECT_THAT(found[0].status.message(), HasSubstr("sign or wiring")) << milliampere;
  }
}

// A Jetson Nano with JetPack 4: the third channel is not connected.
TEST(IioRailsTest, ReadsTheRailsOfJetPack4) {
  const FakeSysfs tree;
  const std::string chip = "sys/bus/iio/devices/iio:device0/";
  tree.Write("sys/bus/iio/devices/iio:device1/name", "bmp280");
  tree.Write(chip + "name", "ina3221x");
  tree.Write(chip + "rail_name_0", "POM_5V_IN");
  tree.Write(chip + "in_voltage0_input", "5040");
  tree.Write(chip + "in_current0_input", "500");
  tree.Write(chip + "in_power0_input", "2520");
  tree.Write(chip + "rail_name_1", "POM_5V_GPU");  // a driver without in_powerN_input
  tree.Write(chip + "in_voltage1_input", "5000");
  tree.Write(chip + "in_current1_input", "20");
  tree.Write(chip + "rail_name_2", "NC");
  const auto found = FindIioRails(tree.sys());
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].name, "iio:ina3221x/POM_5V_GPU");
  ASSERT_TRUE(found[0].status.ok()) << found[0].status.message();
  EXPECT_EQ(found[0].source->info().coverage, EnergyCoverage::kOneRail);
  EXPECT_THAT(Record(*found[0].source, [] {}), ::testing::Each(::testing::DoubleNear(0.1, 1e-9)));
  EXPECT_EQ(found[1].name, "iio:ina3221x/POM_5V_IN");
  ASSERT_TRUE(found[1].status.ok()) << found[1].status.message();
  EXPECT_EQ(found[1].source->info().coverage, EnergyCoverage::kInput);
  EXPECT_THAT(Record(*found[1].source, [] {}), ::testing::Each(::testing::DoubleNear(2.52, 1e-9)));
}

constexpr char kPmicText[] =
    "        VDD_CORE_A current(7)=2.0A\n"
    "    3V3_SYS_A current(2)=0.5A\n"
    "     VDD_CORE_V volt(15)=0.75V\n"
    "      3V3_SYS_V volt(10)=3.0V\n"
    "       EXT5V_V volt(24)=5.15V\n";

TEST(PmicTest, SumsRailsThatHaveVoltageAndCurrent) {
  EXPECT_DOUBLE_EQ(*ParsePmicPower(kPmicText), 2.0 * 0.75 + 0.5 * 3.0);
}

TEST(PmicTest, RefusesTextThatIsNotItsOwn) {
  for (const std::string_view text :
       {"", "error: permission denied\n", "A current(1)=1A\n", "X_A current(1)=1A\n",
        "X_A current(1)=nanA\nX_V volt(2)=1V\n", "X_A current(1)=1V\nX_V volt(2)=1V\n",
        "X_A current(1)=-1A\nX_V volt(2)=1V\n", "X_V volt(2)=1V\n", "X_A current(1)=A\n"}) {
    EXPECT_EQ(ParsePmicPower(text).status().code(), StatusCode::kDataCorrupt) << text;
  }
}

TEST(PmicTest, IsThereOnARaspberryPi5Only) {
  const FakeSysfs tree;
  const auto text = [] { return Result<std::string>(kPmicText); };
  tree.Write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4");
  EXPECT_THAT(FindPmic(tree.root(), text), IsEmpty());
  tree.Write("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0");
  const auto found = FindPmic(tree.root(), text);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_TRUE(found[0].status.ok());
  const auto broken = FindPmic(
      tree.root(), [] { return Result<std::string>(Status(StatusCode::kUnavailable, "no")); });
  ASSERT_THAT(broken, SizeIs(1));
  EXPECT_EQ(broken[0].status.code(), StatusCode::kUnavailable);
}

TEST(BatteryTest, ReadsPowerWhateverTheSignAndOnlyWhileDischarging) {
  const FakeSysfs tree;
  tree.Write("sys/class/power_supply/AC/type", "Mains");
  tree.Write("sys/class/power_supply/BAT0/type", "Battery");
  tree.Write("sys/class/power_supply/BAT0/status", "Discharging");
  tree.Write("sys/class/power_supply/BAT0/current_now", "-1500000");
  tree.Write("sys/class/power_supply/BAT0/voltage_now", "4000000");
  auto found = FindBatteries(tree.sys());
  ASSERT_THAT(found, SizeIs(1));
  ASSERT_TRUE(found[0].status.ok()) << found[0].status.message();
  const auto values = Record(
      *found[0].source, [&] { tree.Write("sys/class/power_supply/BAT0/power_now", "7000000"); });
  EXPECT_THAT(values, ::testing::ElementsAre(::testing::DoubleNear(6.0, 1e-9),
                                             ::testing::DoubleNear(7.0, 1e-9)));
  tree.Write("sys/class/power_supply/BAT0/status", "Charging");
  found = FindBatteries(tree.sys());
  EXPECT_EQ(found[0].status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(found[0].status.message(), HasSubstr("unplug"));
}

TEST(BatteryTest, LeavesOutThoseOfOtherDevices) {
  const FakeSysfs tree;
  const std::string mouse = "sys/class/power_supply/hidpp_battery_0/";
  tree.Write(mouse + "type", "Battery");
  tree.Write(mouse + "scope", "Device");
  tree.Write(mouse + "status", "Discharging");
  tree.Write(mouse + "power_now", "7000000");
  EXPECT_THAT(FindBatteries(tree.sys()), IsEmpty());
  tree.Write(mouse + "scope", "System");
  EXPECT_THAT(FindBatteries(tree.sys()), SizeIs(1));
}

TEST(DiscoveryTest, FindsNothingAndNoModelOnABoardWithoutSensors) {
  const FakeSysfs tree;
  EXPECT_THAT(FindEnergySources(tree.root()), IsEmpty());
}

TEST(DiscoveryTest, ListsTheSourcesOfAllKinds) {
  const FakeSysfs tree;
  WriteZone(tree, "intel-rapl:0", "package-0", "1");
  WriteIna3221(tree, "hwmon4");
  tree.Write("sys/class/power_supply/BAT1/type", "Battery");
  tree.Write("sys/class/power_supply/BAT1/status", "Full");
  tree.Write("sys/bus/iio/devices/iio:device0/name", "ina3221x");
  tree.Write("sys/bus/iio/devices/iio:device0/rail_name_0", "VDD_IN");
  const auto found = FindEnergySources(tree.root(), Trial([] {}));
  ASSERT_THAT(found, SizeIs(6));
  for (const FoundEnergySource& one : found) EXPECT_EQ(one.source != nullptr, one.status.ok());
}

TEST(BoardStateTest, ReadsFrequenciesZonesAndThrottleBits) {
  const FakeSysfs tree;
  const std::string cpu = "sys/devices/system/cpu/cpu0/cpufreq/";
  tree.Write(cpu + "scaling_governor", "ondemand");
  tree.Write(cpu + "scaling_cur_freq", "1500000");
  tree.Write(cpu + "scaling_min_freq", "600000");
  tree.Write(cpu + "scaling_max_freq", "2400000");
  tree.Write("sys/devices/system/cpu/cpufreq/boost", "1");
  tree.Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal");
  tree.Write("sys/class/thermal/thermal_zone0/temp", "61250");
  tree.Write("sys/devices/platform/soc/soc:firmware/get_throttled", "50005");
  const BoardState state = ReadBoardState(tree.root());
  ASSERT_THAT(state.frequencies, SizeIs(1));
  EXPECT_EQ(state.frequencies[0].current_khz, 1'500'000);
  EXPECT_EQ(state.frequencies[0].max_khz, 2'400'000);
  ASSERT_THAT(state.zones, SizeIs(1));
  EXPECT_EQ(state.zones[0].celsius, 61.25);
  ASSERT_TRUE(state.throttle.has_value());
  EXPECT_TRUE(state.throttle->under_voltage);
  EXPECT_FALSE(state.throttle->frequency_capped);
  EXPECT_TRUE(state.throttle->throttled);
  EXPECT_TRUE(state.throttle->any_since_boot);
  EXPECT_THAT(FindStateConcerns(state, -1),
              ::testing::ElementsAre(HasSubstr("cpu0 has the governor ondemand"),
                                     HasSubstr("voltage"), HasSubstr("cool")));
}

TEST(BoardStateTest, AcceptsPinnedFrequenciesAndWhatTheSystemDoesNotTell) {
  BoardState state;
  EXPECT_THAT(FindStateConcerns(state, -1), IsEmpty());
  state.frequencies.push_back({"cpu0", "userspace", 1'800'000, 1'800'000, 1'800'000});
  state.frequencies.push_back({"cpu1", "performance", 1'700'000, 600'000, 1'800'000});
  state.throttle = ParseThrottleBits(0x50000);  // Only in the past.
  EXPECT_THAT(FindStateConcerns(state, -1), IsEmpty());
}

}  // namespace
}  // namespace bitpilot
