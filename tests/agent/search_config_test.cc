#include "agent/study/search_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using testing::HasSubstr;

TEST(SearchConfigTest, SurvivesARoundTripThroughJson) {
  SearchConfig config;
  config.policy = "random";
  config.learning_rate = 0.1 + 0.2;  // a double that shortens badly
  config.budgets.max_latency_ratio = 0.7;
  config.budgets.max_energy_ratio = 0.8;
  config.budgets.max_weight_bytes = 40'000;
  config.cpu = "big";
  config.meter = "meter-replay \"my meter.csv\"";
  config.seed = 0xFFFF'FFFF'FFFF'FFFFULL;
  const auto read = SearchConfigFromJson(nlohmann::json::parse(ToJson(config).dump()));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, config);
}

TEST(SearchConfigTest, NamesAMissingOrUnknownKey) {
  nlohmann::json json = ToJson(SearchConfig());
  json.erase("policy");
  EXPECT_THAT(SearchConfigFromJson(json).status().message(), HasSubstr("policy"));
  json = ToJson(SearchConfig());
  json["polcy"] = "amed";
  EXPECT_THAT(SearchConfigFromJson(json).status().message(), HasSubstr("polcy"));
}

TEST(SearchConfigTest, ReadsAStudyThatKnewNothingOfEnergy) {
  nlohmann::json json = ToJson(SearchConfig());
  for (const char* key : {"energy", "meter", "max_energy_ratio", "cpu"}) json.erase(key);
  const auto read = SearchConfigFromJson(json);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->energy, "none");
  EXPECT_FALSE(SearchesEnergy(*read));
}

TEST(SearchConfigTest, SearchesEnergyWhereThereIsABudgetOfIt) {
  SearchConfig config;
  EXPECT_FALSE(SearchesEnergy(config));
  config.budgets.max_energy_ratio = 0.7;
  EXPECT_TRUE(SearchesEnergy(config));
}

// What cannot be written into a study cannot be read from it again.
TEST(SearchConfigTest, RefusesTextsThatAreNotUtf8) {
  for (std::string SearchConfig::*text :
       {&SearchConfig::weights, &SearchConfig::data, &SearchConfig::meter, &SearchConfig::board}) {
    SearchConfig config;
    config.*text = "a\xff";
    const Status status = ValidateSearchConfig(config);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr(R"('a\xff': the study records it)"));
  }
}

TEST(SearchConfigTest, TakesBatchesUpToTheData) {
  EXPECT_TRUE(CheckBatchSize(40, 40).ok());
  EXPECT_EQ(CheckBatchSize(41, 40).code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(CheckBatchSize(41, 40).message(), HasSubstr("only 40 training images"));
}

TEST(SearchConfigTest, NamesTheFlagThatIsOutOfRange) {
  const auto message_of = [](const auto& change) {
    SearchConfig config;
    change(config);
    return ValidateSearchConfig(config).message();
  };
  EXPECT_THAT(message_of([](auto& c) { c.weight_widths = {2, 9}; }), HasSubstr("--weight-widths"));
  EXPECT_THAT(message_of([](auto& c) {
                c.activation_widths = {4, 4};
              }),
              HasSubstr("--activation-widths"));
  EXPECT_THAT(message_of([](auto& c) { c.weight_widths = {}; }), HasSubstr("--weight-widths"));
  EXPECT_THAT(message_of([](auto& c) { c.measurements = 0; }), HasSubstr("--measurements"));
  EXPECT_THAT(message_of([](auto& c) { c.train_batches = -1; }), HasSubstr("--train-batches"));
  EXPECT_THAT(message_of([](auto& c) { c.budgets.min_accuracy = 85.0; }),
              HasSubstr("--min-accuracy"));
  EXPECT_THAT(message_of([](auto& c) { c.budgets.max_latency_ratio = 0.0; }),
              HasSubstr("--max-latency"));
  EXPECT_THAT(message_of([](auto& c) { c.budgets.max_energy_ratio = -1.0; }),
              HasSubstr("--max-energy"));
  EXPECT_THAT(message_of([](auto& c) { c.energy = "yes"; }), HasSubstr("--energy"));
  EXPECT_THAT(message_of([](auto& c) {
                c.energy = "none";
                c.budgets.max_energy_ratio = 0.7;
              }),
              HasSubstr("--energy none"));
  EXPECT_THAT(message_of([](auto& c) {
                c.meter = "meter-synthetic";
                c.device = "model:mpic.cost";
              }),
              HasSubstr("--meter"));
  EXPECT_THAT(message_of([](auto& c) { c.device.clear(); }), HasSubstr("--device"));
  EXPECT_THAT(message_of([](auto& c) { c.fleet = "fleet.toml"; }), HasSubstr("--fleet"));
}

}  // namespace
}  // namespace bitpilot
