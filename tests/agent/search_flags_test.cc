// The flags of `bitpilot search`, field by field of the configuration.
#include "agent/cli/search_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agent/study/config_fields.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

class SearchFlagsTest : public testing::Test {
 protected:
  SearchFlagsTest() { AddSearchFlags(app_, values_); }

  void Parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());
    app_.parse(arguments);
  }

  CLI::App app_;
  SearchFlagValues values_;
};

// Flags that repeat a configuration give it again, whatever its fields are set to.
TEST_F(SearchFlagsTest, EveryFieldHasAFlagThatSetsItAndAppearsInTheHelp) {
  SearchConfig config;
  config.model = "resnet20";
  config.weights = "net.safetensors";
  config.data = "images";
  config.device = "local:avx2";
  config.board = "pi";
  config.cpu = "3";
  config.fast = true;
  config.energy = "search";
  config.meter = "meter-replay 'a b.csv'";
  config.policy = "random";
  config.policy_options = R"({"explore":0.5})";
  config.weight_widths = {4, 8};
  config.activation_widths = {2, 8};
  config.search_ends = true;
  config.budgets = {.max_latency_ratio = 0.1 + 0.2,
                    .max_energy_ratio = 0.6,
                    .max_weight_bytes = 4000,
                    .min_accuracy = 0.7};
  config.measurements = 30;
  config.board_seconds = 90.5;
  config.seed = 0xFFFF'FFFF'FFFF'FFFFULL;
  config.train_batches = 12;
  config.final_batches = 34;
  config.batch_size = 64;
  config.learning_rate = 1e-3;
  config.distill = false;
  config.calibration_images = 256;
  config.table_seconds = 7;
  config.train_threads = 3;
  std::vector<std::string> arguments;
  for (const FlagText& flag : FlagsOf(ToJson(config))) {
    arguments.emplace_back(flag.flag);
    if (flag.value) arguments.push_back(*flag.value);
  }
  Parse(arguments);
  EXPECT_EQ(ToJson(ConfigOf(values_)), ToJson(config));
  const std::string help = app_.help();
  const auto defaults = ToJson(SearchConfig());
  for (const ConfigField& field : ConfigFields()) {
    if (field.flag.empty()) continue;
    EXPECT_THAT(help, HasSubstr(std::string(field.flag)));
    const bool is_left_out = field.flag == "--fleet" || field.flag == "--class" ||
                             field.flag == "--teacher" ||
                             field.flag == "--final-epochs";  // what excludes others above
    EXPECT_EQ(app_.count(std::string(field.flag)) > 0, !is_left_out) << field.flag;
  }
}

TEST_F(SearchFlagsTest, WidthsSetBothKinds) {
  Parse({"--widths", "2,4,8"});
  EXPECT_EQ(ConfigOf(values_).weight_widths, (std::vector<int>{2, 4, 8}));
  EXPECT_EQ(ConfigOf(values_).activation_widths, (std::vector<int>{2, 4, 8}));
}

TEST_F(SearchFlagsTest, AFleetTakesThePlaceOfTheDevice) {
  Parse({"--fleet", "fleet.toml"});
  EXPECT_EQ(ConfigOf(values_).device, "");
}

TEST_F(SearchFlagsTest, EachClassIsAFlagOfItsOwn) {
  Parse({"--fleet", "fleet.toml", "--class", "pi5", "--class", "n2", "--objective", "n2"});
  EXPECT_EQ(ConfigOf(values_).classes, (std::vector<std::string>{"pi5", "n2"}));
  EXPECT_EQ(ConfigOf(values_).objective, "n2");
}

TEST_F(SearchFlagsTest, RefusesABoardBesideAClass) {
  EXPECT_THROW(Parse({"--fleet", "fleet.toml", "--class", "pi5", "--board", "a"}), CLI::ParseError);
}

TEST_F(SearchFlagsTest, RefusesTwoWordsForTheFinalTraining) {
  EXPECT_THROW(Parse({"--final-batches", "10", "--final-epochs", "1"}), CLI::ParseError);
}

TEST_F(SearchFlagsTest, AResumeMayNamePlacesAndExtendAndNothingElse) {
  for (const ConfigField& field : ConfigFields()) {
    if (field.flag.empty()) continue;
    const std::string flag(field.flag);
    SCOPED_TRACE(flag);
    CLI::App app;
    SearchFlagValues values;
    AddSearchFlags(app, values);
    std::vector<std::string> arguments = {flag};
    const ConfigValue value = field.value(values.config);
    if (std::holds_alternative<std::string*>(value)) {
      arguments.emplace_back("x");
    } else if (!std::holds_alternative<bool*>(value)) {
      arguments.emplace_back(field.form == FlagForm::kRatio || field.max == 1.0 ? "0.5" : "32");
      if (std::holds_alternative<std::vector<int>*>(value)) arguments.back() = "4";
    }
    std::reverse(arguments.begin(), arguments.end());
    app.parse(arguments);
    const bool may = field.can_move || flag == "--measurements";
    EXPECT_EQ(CheckResumeFlags(app).ok(), may);
  }
  Parse({"--widths", "4"});
  EXPECT_THAT(CheckResumeFlags(app_).message(), HasSubstr("--widths cannot be given"));
}

TEST_F(SearchFlagsTest, TellsAResumeWhatHasMoved) {
  Parse({"--data", "elsewhere", "--teacher", "resnet56:w"});
  const MovedParts moved = MovedPartsOf(app_, values_);
  EXPECT_EQ(moved.data, "elsewhere");
  EXPECT_EQ(moved.teacher, "resnet56:w");
  EXPECT_EQ(moved.device, "") << "the default was not given";
}

}  // namespace
}  // namespace bitpilot
