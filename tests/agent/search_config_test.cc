#include "agent/study/search_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "policies/pace.h"
#include "policies/policy.h"
#include "tests/agent/study_fixture.h"
#include "tests/policies/synthetic_world.h"

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

TEST(SearchConfigTest, TrainsAsMuchForEachCandidateWhateverTheClasses) {
  SearchConfig config;
  config.measurements = 17;
  config.train_batches = 3;
  EXPECT_EQ(TotalsOf(config).mini_batches, 51);
  config.classes = {"a", "b"};
  EXPECT_EQ(TotalsOf(config).measurements, 17);
  EXPECT_EQ(TotalsOf(config).mini_batches, 24)
      << "8 candidates, and a measurement that pays for none";
  EXPECT_EQ(MiniBatchesOf(config, 17 + 1) - MiniBatchesOf(config, 17), 3);
}

// A whole search on boards that answer at once; returns what it saw last.
View Searched(const SearchProblem& problem, const SearchConfig& config) {
  const auto policy = ValueOrDie(MakePolicy(config.policy, problem, config.seed));
  View view(problem);
  Conditions conditions{{}, TotalsOf(config)};
  for (const ClassId& on : ClassesOf(config)) conditions.slots[on] = 2;
  Observation next = conditions;
  while (true) {
    view.Observed(next);
    policy->Observe(view, next);
    for (const Action& action : policy->Act(view)) {
      const Status legal = view.Check(action);
      EXPECT_TRUE(legal.ok()) << legal.message();
      view.Submitted(action);
    }
    if (view.in_flight().empty()) return view;
    const Trial trial = std::get<Trial>(view.in_flight().front());
    TrialOutcome outcome{.id = trial.id,
                         .at = {view.DepthOf({trial.id}), view.mini_batches_submitted()},
                         .train_loss = 0.5,
                         .score = Scored{0.6, 0.01, 800, 1000},
                         .classes = {}};
    for (const ClassId& on : trial.classes) {
      outcome.classes.push_back({on, Measured{0.8, 0.79, 0.81}, 1.0});
    }
    next = outcome;
  }
}

// The rate has come down to nothing where the search ends, and its weights have had what uniform 8 bit,
// which they are compared with, has had alone.
TEST(SearchConfigTest, MeasurementsAndTrainingEndTogetherWhateverTheClasses) {
  const SyntheticWorld world({.training = true});
  SearchConfig config;
  config.measurements = 13;
  config.train_batches = world.problem().batches_per_step;
  const std::vector<std::vector<std::string>> all_classes = {{}, {"a", "b"}, {"a", "b", "c"}};
  for (const auto& classes : all_classes) {
    config.classes = classes;
    for (const char* policy : {"random", "amed-blind"}) {
      SCOPED_TRACE(std::string(policy) + " on " + std::to_string(ClassesOf(config).size()));
      config.policy = policy;
      const View end = Searched(world.problem(), config);
      EXPECT_LT(end.measurements_left(), static_cast<int>(ClassesOf(config).size()));
      EXPECT_EQ(end.mini_batches_left(), 0);
      EXPECT_EQ(end.DepthOf(end.latest()), TotalsOf(config).mini_batches);
      EXPECT_EQ(RateShareAt(end, end.mini_batches_submitted()), 0.0);
    }
  }
}

TEST(SearchConfigTest, RefusesMeasurementsThatPayForNoCandidate) {
  SearchConfig config;
  config.device.clear();
  config.fleet = "fleet.toml";
  config.classes = {"a", "b", "c"};
  config.measurements = 2;
  const Status few = ValidateSearchConfig(config);
  EXPECT_EQ(few.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(few.message(), HasSubstr("--measurements 2 pays for no candidate"));
  EXPECT_THAT(few.message(), HasSubstr("3 classes"));
  config.measurements = 3;
  EXPECT_TRUE(ValidateSearchConfig(config).ok());
  // What was left over counts.
  EXPECT_FALSE(CheckMeasurements(config, 3, 2).ok());
  EXPECT_TRUE(CheckMeasurements(config, 4, 2).ok());
}

TEST(SearchConfigTest, CountsMiniBatchesOfAllCandidates) {
  SearchConfig config;
  config.train_batches = 1'000'000;
  EXPECT_TRUE(CheckMeasurements(config, 0, 1000).ok());
  EXPECT_THAT(CheckMeasurements(config, 0, 1001).message(), HasSubstr("--train-batches 1000000"));
  EXPECT_FALSE(CheckMeasurements(config, 1000, 1).ok());
}

// The table of several classes is longer.
TEST(SearchConfigTest, TheDefaultFinalTrainingTakesAFifthForAllRowsOfTheTable) {
  SearchConfig config;
  config.measurements = 900;
  config.train_batches = 10;
  config.device.clear();
  config.fleet = "fleet.toml";
  for (const std::size_t classes : {1, 2, 3}) {
    config.classes.clear();
    for (std::size_t i = 0; i < classes; ++i) config.classes.push_back("tag" + std::to_string(i));
    config.final_batches.reset();
    SettleFinalBatches(10'000, config);
    const int rows = 3 + 8 + (classes > 1 ? 4 * static_cast<int>(classes) : 0);
    EXPECT_EQ(MaxFinalNetworks(config), rows);
    EXPECT_EQ(*config.final_batches, 9000 / static_cast<int>(classes) / 5 / rows);
  }
}

}  // namespace
}  // namespace bitpilot
