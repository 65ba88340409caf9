// The list of configuration fields: what follows from it holds for every field.
#include "agent/study/config_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

// A configuration with every field set to something that is not its default.
SearchConfig Everything() {
  SearchConfig config;
  config.model = "resnet20";
  config.weights = "net.safetensors";
  config.weights_sha256 = "aa";
  config.data = "images";
  config.data_sha256 = "bb";
  config.device = "local:avx2";
  config.device_sha256 = "cc";
  config.board = "pi";
  config.cpu = "3";
  config.fast = true;
  config.energy = "search";
  config.meter = "meter-replay";
  config.policy = "random";
  config.policy_options = R"({"explore":0.5})";
  config.weight_widths = {4, 8};
  config.activation_widths = {2, 8};
  config.search_ends = true;
  config.granularity = "group";
  config.budgets = {.max_latency_ratio = 0.5,
                    .max_energy_ratio = 0.6,
                    .max_weight_bytes = 4000,
                    .min_accuracy = 0.7};
  config.measurements = 30;
  config.board_seconds = 90.5;
  config.seed = 0xFFFF'FFFF'FFFF'FFFFULL;
  config.train_batches = 12;
  config.final_batches = 34;
  config.batch_size = 64;
  config.learning_rate = 0.1 + 0.2;  // a double that shortens badly
  config.teacher = "resnet56:big.safetensors";
  config.teacher_sha256 = "dd";
  config.calibration_images = 256;
  config.table_seconds = 7;
  config.train_threads = 3;
  config.objective = "mean";
  return config;
}

TEST(ConfigFieldsTest, EveryFieldSurvivesARoundTripThroughTheStudysJson) {
  const SearchConfig config = Everything();
  const Json json = Json::parse(ToJson(config).dump());
  const Json defaults = ToJson(SearchConfig());
  const auto read = SearchConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(ToJson(*read), json);
  for (const ConfigField& field : ConfigFields()) {
    if (field.key.empty() || field.key == "distill") continue;
    if (field.key == "fleet" || field.key == "classes") continue;  // instead of the device
    EXPECT_NE(json.at(std::string(field.key)), defaults.at(std::string(field.key))) << field.key;
  }
}

TEST(ConfigFieldsTest, KeysAndFlagsAreDistinctAndEachFlagHasHelp) {
  std::set<std::string_view> keys, flags;
  for (const ConfigField& field : ConfigFields()) {
    if (!field.key.empty()) {
      EXPECT_TRUE(keys.insert(field.key).second) << field.key;
    }
    if (!field.flag.empty()) {
      EXPECT_TRUE(flags.insert(field.flag).second) << field.flag;
    }
    EXPECT_EQ(field.flag.empty(), field.help.empty()) << field.key;
    EXPECT_FALSE(field.name.empty()) << field.key;
    EXPECT_FALSE(field.key.empty() && field.flag.empty()) << field.name;
  }
}

// As studies of log version 2 have it.
TEST(ConfigFieldsTest, ReadsAConfigurationWithoutTheKeysThatCameLater) {
  Json json = ToJson(SearchConfig());
  for (const char* key :
       {"policy_options", "board_seconds", "final_batches", "teacher", "teacher_sha256"}) {
    ASSERT_EQ(json.erase(key), 1U) << key;
  }
  const auto read = SearchConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->policy_options, "{}");
  EXPECT_FALSE(read->final_batches.has_value());
  EXPECT_FALSE(read->board_seconds.has_value());
  EXPECT_EQ(read->teacher, "");
}

TEST(ConfigFieldsTest, GivesTheFlagsThatRepeatAConfiguration) {
  const std::vector<FlagText> flags = FlagsOf(ToJson(Everything()));
  const auto value_of = [&](std::string_view flag) -> std::string {
    for (const FlagText& each : flags) {
      if (each.flag == flag) return each.value.value_or("(set)");
    }
    return "(absent)";
  };
  EXPECT_EQ(value_of("--max-latency"), "0.5x");
  EXPECT_EQ(value_of("--weight-widths"), "4,8");
  EXPECT_EQ(value_of("--search-ends"), "(set)");
  EXPECT_EQ(value_of("--final-batches"), "34");
  EXPECT_EQ(value_of("--policy-options"), R"({"explore":0.5})");
  EXPECT_EQ(value_of("--seed"), "18446744073709551615");
  EXPECT_EQ(value_of("--no-distill"), "(absent)");  // it distils
  EXPECT_EQ(value_of("--fleet"), "(absent)");
  Json alone = ToJson(SearchConfig());
  alone["distill"] = false;
  EXPECT_THAT(FlagsOf(alone), testing::Contains(testing::Field(&FlagText::flag, "--no-distill")));
}

TEST(ConfigFieldsTest, GivesEachClassAFlagOfItsOwn) {
  SearchConfig config;
  config.device.clear();
  config.fleet = "fleet.toml";
  config.classes = {"pi5", "n2"};
  config.objective = "n2";
  EXPECT_EQ(ToJson(SearchConfigFromJson(ToJson(config)).value()), ToJson(config));
  std::vector<std::string> classes;
  for (const FlagText& each : FlagsOf(ToJson(config))) {
    if (each.flag == "--class") classes.push_back(each.value.value());
  }
  EXPECT_THAT(classes, testing::ElementsAre("pi5", "n2"));
}

TEST(ConfigFieldsTest, RefusesNumbersOutsideTheirFieldsRange) {
  int num_fields = 0;
  for (const ConfigField& field : ConfigFields()) {
    if (field.max == 0.0 || field.form == FlagForm::kRatio || field.max > 1e9) continue;
    SearchConfig config;
    const auto set = [](auto* value, double number) {
      using T = std::remove_pointer_t<decltype(value)>;
      if constexpr (std::is_same_v<T, int> || std::is_same_v<T, std::optional<int>>) {
        *value = static_cast<int>(number);
      } else if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>) {
        *value = number;
      } else if constexpr (std::is_same_v<T, std::vector<int>>) {
        *value = {static_cast<int>(number)};
      }
    };
    std::visit([&](auto* value) { set(value, field.max + 1); }, field.value(config));
    const Status status = ValidateSearchConfig(config);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << field.name;
    EXPECT_THAT(status.message(), HasSubstr(std::string(field.flag)));
    ++num_fields;
  }
  EXPECT_GE(num_fields, 10);
}

TEST(ConfigFieldsTest, RefusesPolicyOptionsThatAreNoObject) {
  for (const char* text : {"", "3", "[1]", "{", "null"}) {
    SearchConfig config;
    config.policy_options = text;
    EXPECT_THAT(ValidateSearchConfig(config).message(),
                HasSubstr("--policy-options takes a JSON object"))
        << text;
  }
}

TEST(FinalBatchesTest, AreAFifthOfTheSearchsDividedByTheNetworks) {
  SearchConfig config;
  config.train_batches = 100;
  config.measurements = 24;
  SettleFinalBatches(4000, config);
  EXPECT_EQ(config.final_batches, 43);  // 2400 / 5 / 11
}

TEST(FinalBatchesTest, AreAtLeastTwentyWhereTheSearchTrainsAndElseNone) {
  SearchConfig config;
  config.train_batches = 10;
  config.measurements = 18;
  SettleFinalBatches(4000, config);
  EXPECT_EQ(config.final_batches, 20);
  SearchConfig untrained;
  SettleFinalBatches(4000, untrained);
  EXPECT_EQ(untrained.final_batches, 0);
}

TEST(FinalBatchesTest, FollowFromEpochsAndTheDatasSize) {
  SearchConfig config;
  config.batch_size = 100;
  config.final_epochs = 1.5;
  SettleFinalBatches(4010, config);
  EXPECT_EQ(config.final_batches, 61);  // 60.15, rounded up
  EXPECT_FALSE(config.final_epochs.has_value());
  config.final_batches = 7;  // what is settled stays
  SettleFinalBatches(4010, config);
  EXPECT_EQ(config.final_batches, 7);
}

TEST(TeacherTest, HasAModelAndItsWeights) {
  const auto teacher = ParseTeacher("resnet56:a:b.safetensors");
  ASSERT_TRUE(teacher.ok());
  EXPECT_EQ(teacher->model, "resnet56");
  EXPECT_EQ(teacher->weights, "a:b.safetensors");
  for (const char* text : {"resnet56", ":w", "resnet56:"}) {
    EXPECT_THAT(ParseTeacher(text).status().message(), HasSubstr("MODEL:WEIGHTS")) << text;
  }
  SearchConfig config;
  config.teacher = "resnet56:w";
  config.distill = false;
  EXPECT_THAT(ValidateSearchConfig(config).message(), HasSubstr("--no-distill"));
}

}  // namespace
}  // namespace bitpilot
