#include "device_daemon/energy/source_choice.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device_daemon/energy/discovery.h"
#include "tests/device_daemon/fake_sysfs.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

class ConstantSource : public PolledSource {
 public:
  ConstantSource(std::string name, EnergyCoverage coverage)
      : PolledSource({.name = std::move(name),
                      .scope = "",
                      .coverage = coverage,
                      .sensor = EnergySensor::kSensorOnboard,
                      .quantity = EnergyQuantity::kPowerW,
                      .period_ns = 1'000'000,
                      .relative_accuracy = 0.0,
                      .max_power_w = 10.0}) {}

 protected:
  Result<double> Read() override { return 1.0; }
};

FoundEnergySource Usable(const std::string& name, EnergyCoverage coverage) {
  return {name, {}, std::make_unique<ConstantSource>(name, coverage)};
}

std::vector<FoundEnergySource> AllKinds() {
  std::vector<FoundEnergySource> found;
  found.push_back(Usable("hwmon:ina3221/VDD_CPU", EnergyCoverage::kOneRail));
  found.push_back(Usable("battery:BAT0", EnergyCoverage::kBattery));
  found.push_back(Usable("pmic:rpi5", EnergyCoverage::kRails));
  found.push_back(Usable("rapl:package-0", EnergyCoverage::kProcessor));
  found.push_back(Usable("hwmon:ina3221/VDD_IN", EnergyCoverage::kInput));
  found.push_back(Usable("meter:js220", EnergyCoverage::kExternal));
  return found;
}

TEST(SourceChoiceTest, TakesTheSourceThatSeesMostOfTheBoard) {
  std::vector<FoundEnergySource> found = AllKinds();
  for (const char* name :
       {"meter:js220", "hwmon:ina3221/VDD_IN", "rapl:package-0", "pmic:rpi5", "battery:BAT0"}) {
    const std::optional<std::size_t> best = BestEnergySource(found);
    ASSERT_TRUE(best.has_value());
    EXPECT_EQ(found[*best].name, name);
    found.erase(found.begin() + static_cast<std::ptrdiff_t>(*best));
  }
  EXPECT_FALSE(BestEnergySource(found).has_value());  // A rail of the CPU alone is left.
  const Result<EnergyChoice> choice = ChooseEnergySource(std::move(found), "");
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->source, nullptr);
  EXPECT_THAT(choice->reason, HasSubstr("--energy-source"));
}

TEST(SourceChoiceTest, TakesTheOneThatIsNamedAndNoneWhenToldSo) {
  const Result<EnergyChoice> named = ChooseEnergySource(AllKinds(), "hwmon:ina3221/VDD_CPU");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->source->info().name, "hwmon:ina3221/VDD_CPU");
  const Result<EnergyChoice> none = ChooseEnergySource(AllKinds(), kNoEnergySource);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(none->source, nullptr);
  EXPECT_THAT(none->reason, HasSubstr("none"));
  const Status unknown = ChooseEnergySource(AllKinds(), "rapl:package-7").status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(unknown.message(), HasSubstr("rapl:package-0, hwmon:ina3221/VDD_IN"));
}

TEST(SourceChoiceTest, SaysWhyNothingMeasures) {
  std::vector<FoundEnergySource> found;
  EXPECT_THAT(ChooseEnergySource({}, "")->reason, HasSubstr("no energy source"));
  const Status denied(StatusCode::kPermissionDenied, "energy_uj is for root only");
  found.push_back({"rapl:package-0", denied, nullptr});
  const Result<EnergyChoice> choice = ChooseEnergySource(std::move(found), "");
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->source, nullptr);
  EXPECT_EQ(choice->reason, "rapl:package-0: energy_uj is for root only");
  std::vector<FoundEnergySource> named;
  named.push_back({"rapl:package-0", denied, nullptr});
  EXPECT_EQ(ChooseEnergySource(std::move(named), "rapl:package-0").status().code(),
            StatusCode::kPermissionDenied);
}

// F52: the number of the hwmon folder is another one after a reboot; the module's input is taken
// either way, whatever else the chip measures.
TEST(SourceChoiceTest, FindsTheModulesInputUnderAnyNumber) {
  for (const std::string number : {"0", "7"}) {
    const FakeSysfs board;
    const std::string chip = "sys/class/hwmon/hwmon" + number + "/";
    board.Write(chip + "name", "ina3221");
    const char* labels[] = {"VDD_CPU", "VDD_IN", "VDD_SOC"};
    for (int rail = 1; rail <= 3; ++rail) {
      const std::string channel = std::to_string(rail);
      board.Write(chip + "in" + channel + "_label", labels[rail - 1]);
      board.Write(chip + "in" + channel + "_input", "5000");
      board.Write(chip + "curr" + channel + "_input", std::to_string(100 * rail));
    }
    Result<EnergyChoice> choice = ChooseEnergySource(FindEnergySources(board.root()), "");
    ASSERT_TRUE(choice.ok());
    ASSERT_NE(choice->source, nullptr) << choice->reason;
    EXPECT_EQ(choice->source->info().name, "hwmon:ina3221/VDD_IN");
    ASSERT_TRUE(choice->source->Start(0).ok());
    EXPECT_DOUBLE_EQ(choice->source->Finish(1)->samples.front().value, 1.0);
  }
}

}  // namespace
}  // namespace bitpilot
