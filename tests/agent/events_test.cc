#include "agent/study/events.h"
#include "agent/study/final_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

TransitionEvent MeasuredTransition() {
  TransitionEvent event;
  event.step = 3;
  event.transition.choice = {8, 4, 2};
  event.transition.status = TransitionStatus::kMeasured;
  event.transition.latency_ns = 1.0 / 3.0;
  event.train_loss = 0.1;
  return event;
}

TEST(ParseEventTest, ReturnsEveryBitOfADouble) {
  for (const double value : {0.1, 1.0 / 3.0, 123456789.123456789, -0.0, 5e-324, 1e300,
                             std::numeric_limits<double>::min(), std::numeric_limits<double>::max(),
                             std::numeric_limits<double>::epsilon(), 9007199254740993.0}) {
    TransitionEvent event = MeasuredTransition();
    event.transition.loss = value;
    const Result<TransitionEvent> parsed = ParseEvent<TransitionEvent>(ToJson(event));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(std::bit_cast<std::uint64_t>(parsed->transition.loss),
              std::bit_cast<std::uint64_t>(value))
        << value;
  }
}

TEST(ParseEventTest, ReturnsATransitionWithAndWithoutNumbers) {
  TransitionEvent event = MeasuredTransition();
  Result<TransitionEvent> parsed = ParseEvent<TransitionEvent>(ToJson(event));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->step, 3);
  EXPECT_EQ(parsed->transition.choice, (Choice{8, 4, 2}));
  EXPECT_EQ(parsed->transition.latency_ns, 1.0 / 3.0);
  EXPECT_EQ(parsed->train_loss, 0.1);

  event.transition.status = TransitionStatus::kFailed;
  event.transition.latency_ns = std::nullopt;
  event.train_loss = std::nullopt;
  parsed = ParseEvent<TransitionEvent>(ToJson(event));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->transition.status, TransitionStatus::kFailed);
  EXPECT_EQ(parsed->transition.latency_ns, std::nullopt);
  EXPECT_EQ(parsed->train_loss, std::nullopt);
}

// A training that diverged has no loss: it is no number in the log either.
TEST(ParseEventTest, ReturnsADivergedTransitionWithoutALoss) {
  TransitionEvent event = MeasuredTransition();
  event.transition.status = TransitionStatus::kDiverged;
  event.transition.latency_ns = std::nullopt;
  event.train_loss = std::nullopt;
  const std::string payload = ToJson(event);
  EXPECT_THAT(payload, HasSubstr(R"("loss":null)"));
  EXPECT_THAT(payload, HasSubstr(R"("accuracy":null)"));
  EXPECT_THAT(payload, HasSubstr(R"("status":"diverged")"));
  const Result<TransitionEvent> parsed = ParseEvent<TransitionEvent>(payload);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->transition.status, TransitionStatus::kDiverged);
  EXPECT_EQ(ToJson(*parsed), payload);
  event.transition.status = TransitionStatus::kFailed;  // which was evaluated
  std::string failed = ToJson(event);
  failed.replace(failed.find("\"loss\":"), 8, "\"loss\":null,\"lost\":");
  EXPECT_FALSE(ParseEvent<TransitionEvent>(failed).ok());
}

TEST(ParseEventTest, ReturnsACheckpointOfADivergedStep) {
  const Result<CheckpointEvent> parsed = ParseEvent<CheckpointEvent>(
      ToJson(CheckpointEvent{3, "sha", "step-3.ckpt", std::nullopt, true}));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_TRUE(parsed->diverged);
  EXPECT_FALSE(parsed->train_loss.has_value());
  const Result<CheckpointEvent> older =
      ParseEvent<CheckpointEvent>(R"({"step":1,"sha256":"s","file":"f","train_loss":0.5})");
  ASSERT_TRUE(older.ok()) << older.status().message();
  EXPECT_FALSE(older->diverged);
  EXPECT_EQ(older->train_loss, 0.5);
}

// Before origins had a field, replays and finalists read them out of the reason.
TEST(ParseEventTest, TakesAnOlderProposalsOriginFromItsReason) {
  const std::pair<const char*, Origin> cases[] = {
      {"integer program at 0.700x latency", Origin::kIntegerProgram},
      {"neighbour of the front, expected to add 0.1", Origin::kFrontNeighbour},
      {"crossover of the front, expected to add 0.1", Origin::kFrontCrossover},
      {"neighbour of the incumbent, expected to add 0.1", Origin::kIncumbentNeighbour},
      {"Thompson sample, expected to add 0.1", Origin::kThompsonSample},
      {"nearest choice that was not seen", Origin::kNearestUnseen},
      {"uniform w8a8", Origin::kUniform},
      {"uniformly random widths", Origin::kRandom},
      {"a whim", Origin::kUnknown}};
  for (const auto& [reason, origin] : cases) {
    const Result<ProposalEvent> parsed = ParseEvent<ProposalEvent>(
        std::string(R"({"step":0,"choice":[8],"assignment_id":"id","reason":")") + reason + "\"}");
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(parsed->origin, origin) << reason;
    const Result<ProposalEvent> again = ParseEvent<ProposalEvent>(ToJson(*parsed));
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->origin, origin);
  }
  EXPECT_FALSE(ParseEvent<ProposalEvent>(
                   R"({"step":0,"choice":[],"assignment_id":"","reason":"","origin":"luck"})")
                   .ok());
}

TEST(ParseEventTest, ReturnsTheProblem) {
  ProblemEvent event;
  event.layers = {"conv1", "fc"};
  event.tensors = {"input", "conv1"};
  event.variables = {{DecisionVariable::Kind::kActivations, 1, "conv1", {2, 4, 8}, {0.5, 0.25, 0}},
                     {.kind = DecisionVariable::Kind::kWeights,
                      .index = 1,
                      .name = "fc[2..9]",
                      .widths = {8},
                      .sensitivity = {0},
                      .channels = {2, 8},
                      .ties = {{PositionKind::kActivations, 1, {}}}}};
  event.table = "bitpilot-cost-table 1\nname \"x\"\n";
  event.table_origin = TableOrigin::kCached;
  event.table_sha256 = "ab";
  event.uniform8 = {1e6, 0.3, 0.87};
  const Result<ProblemEvent> parsed = ParseEvent<ProblemEvent>(ToJson(event));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ASSERT_EQ(parsed->variables.size(), 2u);
  EXPECT_EQ(parsed->variables[0].kind, DecisionVariable::Kind::kActivations);
  EXPECT_EQ(parsed->variables[0].sensitivity, (std::vector<double>{0.5, 0.25, 0}));
  EXPECT_EQ(parsed->variables[1].channels, (ChannelRange{2, 8}));
  EXPECT_EQ(parsed->variables[1].ties, event.variables[1].ties);
  EXPECT_EQ(parsed->table, event.table);
  EXPECT_EQ(parsed->table_origin, TableOrigin::kCached);
  EXPECT_EQ(parsed->table_sha256, "ab");
  EXPECT_EQ(parsed->uniform8.accuracy, 0.87);
}

TEST(ParseEventTest, KeepsTheMembersOfABoardBesideItsClass) {
  BoardEvent event;
  event.board.name = "bench \xff";  // Not UTF-8: a board may call itself anything.
  event.board.cpu_count = 2;
  event.cpu_class = "zen5";
  const Result<BoardEvent> parsed = ParseEvent<BoardEvent>(ToJson(event));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_THAT(parsed->board.name, HasSubstr("bench "));
  EXPECT_EQ(parsed->board.cpu_count, 2);
  EXPECT_EQ(parsed->cpu_class, "zen5");
}

TEST(ParseEventTest, ReturnsFinalRowsWithoutLatencyAndWithoutFullIsa) {
  FinalEvent event;
  event.rows.resize(1);
  event.rows[0].label = "front 1";
  event.hypervolume = 0.6;
  const Result<FinalEvent> parsed = ParseEvent<FinalEvent>(ToJson(event));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->rows.at(0).latency_median_ns, std::nullopt);
  EXPECT_FALSE(parsed->full_isa.has_value());
}

TEST(ParseEventTest, NamesAMissingKey) {
  const Result<EndEvent> parsed = ParseEvent<EndEvent>("{}");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(parsed.status().message(), HasSubstr("reason"));
}

// Policies compute with them, and weigh by their errors.
TEST(ParseEventTest, RefusesReadingsThatNoReadingGives) {
  TransitionEvent event = MeasuredTransition();
  event.score =
      Scored{.loss = 0.5, .loss_error = 0.1, .correct = 10, .total = 10, .excess_error = 0.0};
  ASSERT_TRUE(ParseEvent<TransitionEvent>(ToJson(event)).ok());
  const auto score = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json changed = nlohmann::json::parse(ToJson(event));
    changed["score"][key] = value;
    return ParseEvent<TransitionEvent>(changed.dump()).status();
  };
  for (const Status& refused :
       {score("excess_error", -1e-9), score("loss_error", -0.1), score("loss", nullptr),
        score("correct", 11), score("correct", -1), score("total", 0)}) {
    EXPECT_EQ(refused.code(), StatusCode::kDataCorrupt);
  }
  EXPECT_THAT(score("correct", 11).message(), HasSubstr("correct in [0, total]"));
  EXPECT_TRUE(score("excess_error", nullptr).ok());

  event.score->same_weights =
      SameWeights{.loss = 0.4, .correct = 9, .own_share = 0.5, .charge_error = 0.01};
  const Result<TransitionEvent> parsed = ParseEvent<TransitionEvent>(ToJson(event));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->score, event.score);
  const auto same = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json changed = nlohmann::json::parse(ToJson(event));
    changed["score"]["same_weights"][key] = value;
    return ParseEvent<TransitionEvent>(changed.dump()).status();
  };
  for (const Status& refused :
       {same("loss", nullptr), same("correct", 11), same("correct", -1), same("own_share", 1.01),
        same("own_share", -0.01), same("charge_error", -1e-9)}) {
    EXPECT_EQ(refused.code(), StatusCode::kDataCorrupt);
  }
  EXPECT_TRUE(score("same_weights", nullptr).ok());

  AnchorEvent anchor;
  anchor.anchor.readings = {{.batches = 0, .loss = 0.5, .loss_error = 0.0, .error = 0.1}};
  ASSERT_TRUE(ParseEvent<AnchorEvent>(ToJson(anchor)).ok());
  const auto reading = [&](const char* key, const nlohmann::json& value) {
    nlohmann::json changed = nlohmann::json::parse(ToJson(anchor));
    changed["readings"][0][key] = value;
    return ParseEvent<AnchorEvent>(changed.dump()).status();
  };
  for (const Status& refused :
       {reading("loss_error", -0.1), reading("error", 1.1), reading("batches", -1)}) {
    EXPECT_EQ(refused.code(), StatusCode::kDataCorrupt);
  }
}

TEST(ParseEventTest, RefusesAnUnknownStatusWord) {
  std::string payload = ToJson(MeasuredTransition());
  payload.replace(payload.find("measured"), 8, "MEASURED");
  const Result<TransitionEvent> parsed = ParseEvent<TransitionEvent>(payload);
  ASSERT_FALSE(parsed.ok());
  EXPECT_THAT(parsed.status().message(), HasSubstr("MEASURED"));
}

TEST(ParseEventTest, RefusesWhatIsNoJsonOrOfAnotherType) {
  for (const char* payload : {"", "{", "[]", "3", R"({"reason":7})", R"({"reason":null})"}) {
    EXPECT_FALSE(ParseEvent<EndEvent>(payload).ok()) << payload;
  }
}

// Zones that do not count came later than the other conditions.
TEST(ParseEventTest, ReadsConditionsWithoutIgnoredZones) {
  MeasurementConditions conditions;
  conditions.board.ignored_zones = {"PMIC-Die: not the CPU's"};
  const std::string payload = ToJson(conditions);
  const Result<MeasurementConditions> same = ParseEvent<MeasurementConditions>(payload);
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_EQ(same->board, conditions.board);
  const std::string field = R"("ignored_zones":["PMIC-Die: not the CPU's"],)";
  std::string earlier = payload;
  ASSERT_NE(earlier.find(field), std::string::npos) << payload;
  earlier.erase(earlier.find(field), field.size());
  const Result<MeasurementConditions> older = ParseEvent<MeasurementConditions>(earlier);
  ASSERT_TRUE(older.ok()) << older.status().message();
  EXPECT_TRUE(older->board.ignored_zones.empty());
}

// The core that measures came later than the rest of a board and its conditions.
TEST(ParseEventTest, ReadsBoardsAndConditionsThatTellNoCore) {
  BoardInfo board;
  board.core = "implementer 0x41 part 0xd0b, capacity 1024, CPUs 4-7";
  board.cpu = 5;
  MeasurementConditions conditions;
  conditions.board.cpu = 5;
  conditions.board.turn_wait_ms = 12.5;
  conditions.board.kernel_choices = "0123456789ab";
  auto board_json = nlohmann::json::parse(ToJson(board));
  auto conditions_json = nlohmann::json::parse(ToJson(conditions));
  EXPECT_EQ(ParseEvent<BoardInfo>(board_json.dump())->core, board.core);
  EXPECT_EQ(ParseEvent<BoardInfo>(board_json.dump())->cpu, 5);
  EXPECT_EQ(ParseEvent<MeasurementConditions>(conditions_json.dump())->board, conditions.board);
  for (const char* key : {"core", "cpu"}) ASSERT_EQ(board_json.erase(key), 1U) << key;
  for (const char* key : {"cpu", "turn_wait_ms", "kernel_choices"}) {
    ASSERT_EQ(conditions_json["board"].erase(key), 1U) << key;
  }
  const Result<BoardInfo> older = ParseEvent<BoardInfo>(board_json.dump());
  ASSERT_TRUE(older.ok()) << older.status().message();
  EXPECT_EQ(older->core, "");
  EXPECT_FALSE(older->cpu.has_value());
  const auto older_conditions = ParseEvent<MeasurementConditions>(conditions_json.dump());
  ASSERT_TRUE(older_conditions.ok()) << older_conditions.status().message();
  EXPECT_EQ(older_conditions->board, BoardConditions());
}

// The verdict on the full instruction set came later than its figures.
TEST(ParseEventTest, ReadsTheFullInstructionSetWithoutAVerdict) {
  FinalEvent final;
  final.rows.resize(1);
  final.full_isa = FullIsa{"avx512vnni", {{0, 1e5, 0.75}}, "NOISY", "it stepped", 3};
  const Result<FinalEvent> same = ParseEvent<FinalEvent>(ToJson(final));
  ASSERT_TRUE(same.ok()) << same.status().message();
  EXPECT_EQ(same->full_isa->measure_detail, "it stepped");
  EXPECT_EQ(same->full_isa->comparisons, 3);
  const Result<FinalEvent> older = ParseEvent<FinalEvent>(
      R"({"rows":[],"hypervolume":0.5,"full_isa":{"isa":"avx512vnni","rows":[]}})");
  ASSERT_TRUE(older.ok()) << older.status().message();
  EXPECT_EQ(older->full_isa->measure_status, "");
  EXPECT_EQ(older->full_isa->comparisons, 1);
}

// Rows had an origin, and named each other by their labels.
TEST(ParseEventTest, ReadsFinalRowsFromBeforeThereWereRoles) {
  FinalEvent final;
  final.rows.resize(5);
  auto json = nlohmann::json::parse(ToJson(final));
  const std::vector<std::pair<std::string, std::string>> rows = {{"uniform 8 bit", "reference"},
                                                                 {"uniform 4 bit", "reference"},
                                                                 {"ilp start", "ilp"},
                                                                 {"front 1", "front"},
                                                                 {"front 2", "front"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    nlohmann::json& row = json["rows"][i];
    for (const char* key : {"role", "number", "final_batches", "start"}) row.erase(key);
    row["label"] = rows[i].first;
    row["origin"] = rows[i].second;
    row["speed"] = i == 0 ? "" : "faster";
    row["as_fast_as"] = nlohmann::json::array();
  }
  json["rows"][3]["as_fast_as"] = {"ilp start", "front 2"};
  json["full_isa"] = nlohmann::json::parse(
      R"({"isa":"avx2","rows":[{"label":"front 2","latency_median_ns":1.0,"ratio":0.5}]})");
  const Result<FinalEvent> read = ParseEvent<FinalEvent>(json.dump());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->rows[0].role, FinalistRole::kUniform8);
  EXPECT_EQ(read->rows[1].role, FinalistRole::kUniform4);
  EXPECT_EQ(read->rows[2].role, FinalistRole::kIntegerProgram);
  EXPECT_EQ(read->rows[4].role, FinalistRole::kFront);
  EXPECT_EQ(read->rows[4].number, 2);
  EXPECT_EQ(read->rows[0].speed, std::nullopt);
  EXPECT_EQ(read->rows[1].speed, Speed::kFaster);
  EXPECT_EQ(read->rows[3].as_fast_as, (std::vector<int>{2, 4}));
  EXPECT_EQ(read->full_isa->rows[0].row, 4);
  EXPECT_FALSE(read->rows[3].final_batches.has_value());
  EXPECT_EQ(read->test_readings, 1);
  json["rows"][3]["as_fast_as"] = {"front 9"};
  EXPECT_FALSE(ParseEvent<FinalEvent>(json.dump()).ok());
}

TEST(ParseEventTest, ReturnsRolesStartsAndClaimsOfFinalRows) {
  FinalEvent final;
  final.rows.resize(2);
  final.rows[1].role = FinalistRole::kFront;
  final.rows[1].number = 1;
  final.rows[1].label = "front 1";
  final.rows[1].start = TrainingStart::kTwin;
  final.rows[1].final_batches = 20;
  final.rows[1].speed = Speed::kNoDifference;
  final.rows[1].as_fast_as = {0};
  final.test_readings = 2;
  const Result<FinalEvent> read = ParseEvent<FinalEvent>(ToJson(final));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->rows[1].role, FinalistRole::kFront);
  EXPECT_EQ(read->rows[1].start, TrainingStart::kTwin);
  EXPECT_EQ(read->rows[1].final_batches, 20);
  EXPECT_EQ(read->rows[1].speed, Speed::kNoDifference);
  EXPECT_EQ(read->rows[1].as_fast_as, (std::vector<int>{0}));
  EXPECT_EQ(read->test_readings, 2);
  final.rows[1].as_fast_as = {2};
  EXPECT_FALSE(ParseEvent<FinalEvent>(ToJson(final)).ok()) << "there is no such row";
}

}  // namespace
}  // namespace bitpilot
