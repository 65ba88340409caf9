// The whole product as processes: bitpilot searches with a bitpilotd that it starts itself, is
// killed, resumes, replays and notices tampering. The board is a cost table, so that runs repeat
// exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

// A board on which fewer bits are faster, but not evenly: as real kernels are.
std::string WriteModelBoard(const StudyFolder& folder) {
  const Topology topology = StandardTopology("resnet8").value();
  CostTable table;
  table.name = "steps";
  table.source = "made for tests";
  table.overhead_latency_ns = 2000.0;
  for (int operation = 0; operation < topology.num_operations(); ++operation) {
    const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
    if (!HasWeights(op)) continue;
    const double ns_at_8_bit = 1e-2 * static_cast<double>(Macs(topology, operation));
    for (int weights = 1; weights <= 8; ++weights) {
      for (int activations = 1; activations <= 8; ++activations) {
        const double speed = weights == 8                ? 1.0
                             : weights + activations > 8 ? 0.8
                                                         : 0.5 + 0.01 * weights;
        table.operations[{op.name, weights, activations}] = Cost{ns_at_8_bit * speed, std::nullopt};
      }
    }
  }
  const std::string path = folder.Path("steps.table");
  std::ofstream(path) << FormatCostTable(table);
  return path;
}

class SearchProgramTest : public testing::Test {
 protected:
  SearchProgramTest() { UseSmallSample(); }

  // Ten measurements: the integer program's eight answers and two that amed learned to propose.
  std::vector<std::string> Search(const std::string& study, const std::vector<std::string>& more = {
                                                                "--measurements", "10"}) const {
    std::vector<std::string> arguments = {ProgramPath("bitpilot"),
                                          "search",
                                          "--model",
                                          "resnet8",
                                          "--device",
                                          "model:" + table_,
                                          "--fast",
                                          "--widths",
                                          "4,8",
                                          "--study",
                                          folder_.Path(study),
                                          "--json",
                                          "--calibration-images",
                                          "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> Resume(const std::string& study) const {
    return {ProgramPath("bitpilot"), "search",   "--study",
            folder_.Path(study),     "--resume", "--json"};
  }
  ProgramResult Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), ProgramPath("bitpilot"));
    return RunProgram(arguments);
  }

  // The path of 40 labelled images.
  std::string FewImages() const {
    std::string few = folder_.Path("few.bin");
    std::string records;
    std::mt19937 random(5);
    for (int image = 0; image < 40; ++image) {
      records.push_back(static_cast<char>(image % 10));
      for (int pixel = 0; pixel < 3072; ++pixel) records.push_back(static_cast<char>(random()));
    }
    std::ofstream(few, std::ios::binary) << records;
    return few;
  }

  std::size_t NumEvents(const std::string& study) const {
    const auto opened = Study::OpenReadOnly(folder_.Path(study));
    if (!opened.ok()) return 0;
    const auto events = (*opened)->Events();
    return events.ok() ? events->size() : 0;
  }
  // Sequence number of the first event of that kind; 0 if there is none.
  std::size_t FirstEvent(const std::string& study, const std::string& kind) const {
    const auto opened = Study::OpenReadOnly(folder_.Path(study));
    if (!opened.ok()) return 0;
    const std::vector<Event> events = (*opened)->Events().value();
    for (const Event& event : events) {
      if (event.kind == kind) return static_cast<std::size_t>(event.seq);
    }
    return 0;
  }
  std::string ContentHash(const std::string& study) const {
    const auto opened = Study::OpenReadOnly(folder_.Path(study));
    if (!opened.ok()) return opened.status().message();
    const auto hash = (*opened)->ContentHash();
    return hash.ok() ? *hash : hash.status().message();
  }

  StudyFolder folder_;
  std::string table_ = WriteModelBoard(folder_);
};

TEST_F(SearchProgramTest, FindsAFrontReplaysAndReports) {
  const ProgramResult search = RunProgram(Search("a.db"));
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const auto results = LinesOfType(search.out, "result");
  ASSERT_EQ(results.size(), 1U);
  const Json result = Json::parse(results.front());
  EXPECT_EQ(result["measurements"], 10);
  EXPECT_EQ(result["policy"], "amed");
  EXPECT_EQ(result["study"], folder_.Path("a.db"));
  const Json& w8a8 = result["reference"]["w8a8"];
  EXPECT_EQ(w8a8["latency_ratio_int8"], 1.0);
  EXPECT_EQ(w8a8["weight_bits"], Json::parse("[8,8,8,8,8,8,8,8,8,8]"));
  EXPECT_EQ(w8a8["test_images"], 160);
  EXPECT_EQ(result["reference"]["w4a4"]["activation_bits"].front(), 8);
  ASSERT_GE(result["front"].size(), 1U);
  for (const Json& candidate : result["front"]) {
    EXPECT_EQ(candidate["latency_ci_ns"].size(), 2U);
    EXPECT_LT(candidate["latency_ratio_int8"], 1.1);
    EXPECT_EQ(candidate["source"], "MODEL:steps");
    EXPECT_EQ(candidate["energy_uj"], nullptr);
    EXPECT_EQ(candidate["energy_source"], "NONE");
    EXPECT_EQ(candidate["speed_int8"], nullptr) << "nobody timed a model";
    EXPECT_EQ(candidate["measure_status"], "OK");
  }
  EXPECT_EQ(LinesOfType(search.out, "step").size(), 10U);

  const ProgramResult replay = Run({"replay", folder_.Path("a.db"), "--verify", "--json"});
  EXPECT_EQ(replay.exit_code, 0) << replay.err;
  const Json replayed = Json::parse(LinesOfType(replay.out, "result").front());
  EXPECT_EQ(replayed["decisions"], 10);
  EXPECT_EQ(replayed["fingerprints"].size(), 1U);
  EXPECT_EQ(replayed["agent_builds"], Json::array({replayed["verified_by"]}));
  EXPECT_EQ(Run({"log", "verify", folder_.Path("a.db")}).exit_code, 0);
  const std::string html = folder_.Path("a.html");
  EXPECT_EQ(Run({"report", folder_.Path("a.db"), "-o", html}).exit_code, 0);
  EXPECT_GT(std::filesystem::file_size(html), 10'000U);

  // A finished study answers a resume with its result, without a board.
  std::filesystem::remove(table_);
  const ProgramResult again = RunProgram(Resume("a.db"));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(LinesOfType(again.out, "result"), results);
}

// A line that wraps cannot be replaced by the next one.
TEST_F(SearchProgramTest, KeepsProgressWithinTheTerminal) {
  winsize size{};
  size.ws_col = 60;
  int terminal = -1;
  int program_end = -1;
  std::array<char, 128> name;
  ASSERT_EQ(openpty(&terminal, &program_end, name.data(), nullptr, &size), 0);
  std::string shown;
  std::thread reader([&] {
    std::array<char, 4096> block;
    for (ssize_t n; (n = read(terminal, block.data(), block.size())) > 0;) {
      shown.append(block.data(), static_cast<std::size_t>(n));
    }
  });
  std::string command;
  for (const std::string& argument : Search("a.db", {"--measurements", "1"})) {
    command += "'" + argument + "' ";
  }
  const ProgramResult search =
      RunProgram({"/bin/sh", "-c", command + "2> " + std::string(name.data())});
  close(program_end);  // the last one: the reader sees the end
  reader.join();
  close(terminal);
  EXPECT_EQ(search.exit_code, 0) << shown;
  EXPECT_THAT(shown, HasSubstr("1/1 "));
  std::istringstream lines(shown);
  for (std::string line; std::getline(lines, line, '\r');) {
    if (!line.starts_with("\033[K")) continue;  // names of phases may wrap: they stay
    EXPECT_LT(line.substr(0, line.find('\n')).size() - 3, 60U) << line;
  }
}

TEST_F(SearchProgramTest, MeetsOrReportsABudget) {
  const ProgramResult met =
      RunProgram(Search("met.db", {"--measurements", "3", "--max-latency", "0.9x"}));
  EXPECT_EQ(met.exit_code, 0) << met.err;
  const ProgramResult missed = RunProgram(Search(
      "missed.db", {"--measurements", "3", "--max-latency", "0.9x", "--min-accuracy", "0.99"}));
  EXPECT_EQ(missed.exit_code, 3) << missed.err;
  EXPECT_EQ(Json::parse(LinesOfType(missed.out, "result").front())["budget_met"], false);
}

TEST_F(SearchProgramTest, F8DecidesTheSameAfterFiveKillsAsUndisturbed) {
  ASSERT_EQ(RunProgram(Search("calm.db")).exit_code, 0);
  const std::size_t total = NumEvents("calm.db");
  ASSERT_GT(total, 20U);

  std::mt19937_64 random(7);
  std::vector<std::size_t> kill_points(5);
  for (std::size_t& point : kill_points) point = 1 + random() % (total - 1);
  std::sort(kill_points.begin(), kill_points.end());
  std::vector<std::string> arguments = Search("killed.db");
  for (const std::size_t point : kill_points) {
    const ProgramResult killed =
        RunProgramUntil(arguments, SIGKILL, [&] { return NumEvents("killed.db") >= point; });
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << "at event " << point << ": " << killed.err;
    ASSERT_EQ(Run({"log", "verify", folder_.Path("killed.db")}).exit_code, 0)
        << "after a kill at event " << point;
    arguments = Resume("killed.db");
  }
  const ProgramResult last = RunProgram(arguments);
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_EQ(ContentHash("killed.db"), ContentHash("calm.db"));
  EXPECT_EQ(Run({"replay", folder_.Path("killed.db"), "--verify"}).exit_code, 0);
}

TEST_F(SearchProgramTest, ResumesTrainingFromItsCheckpointExactly) {
  const std::vector<std::string> training = {"--train-batches", "2", "--batch-size",    "16",
                                             "--measurements",  "3", "--final-batches", "1"};
  const ProgramResult calm = RunProgram(Search("calm.db", training));
  ASSERT_EQ(calm.exit_code, 0) << calm.err;
  const std::size_t total = NumEvents("calm.db");
  // Also before the first step has trained, where nothing but the set-up is done.
  const std::size_t set_up = FirstEvent("calm.db", "problem");
  ASSERT_GT(set_up, 2U);
  ASSERT_LT(set_up, FirstEvent("calm.db", "proposal"));
  std::vector<std::string> arguments = Search("killed.db", training);
  for (const std::size_t point : {set_up, total - 12, total - 5}) {
    const ProgramResult killed =
        RunProgramUntil(arguments, SIGKILL, [&] { return NumEvents("killed.db") >= point; });
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err;
    arguments = Resume("killed.db");
  }
  const ProgramResult last = RunProgram(arguments);
  ASSERT_EQ(last.exit_code, 0) << last.err;
  EXPECT_EQ(ContentHash("killed.db"), ContentHash("calm.db"));
}

// The front has this row's network.
bool InFront(const Json& result, const Json& row) {
  return std::any_of(result["front"].begin(), result["front"].end(), [&](const Json& other) {
    return other["weight_bits"] == row["weight_bits"] &&
           other["activation_bits"] == row["activation_bits"];
  });
}

// Every row, references included, trained the same number of mini-batches at its own widths.
TEST_F(SearchProgramTest, TrainsAllRowsAlikeAndSaysWhatEachHad) {
  const ProgramResult search =
      RunProgram(Search("a.db", {"--train-batches", "2", "--batch-size", "16", "--measurements",
                                 "4", "--final-batches", "3"}));
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const Json result = Json::parse(LinesOfType(search.out, "result").front());
  std::vector<Json> rows = {result["reference"]["w8a8"], result["reference"]["w4a4"]};
  rows.insert(rows.end(), result["front"].begin(), result["front"].end());
  ASSERT_GE(rows.size(), 3U);
  const Json* most_accurate = nullptr;
  for (const Json& row : rows) {
    EXPECT_EQ(row["final_batches"], 3) << row;
    EXPECT_THAT(row["start"].get<std::string>(), testing::AnyOf("search", "twin"));
    EXPECT_GE(row["mini_batches"].get<int>(), 3);
    EXPECT_LE(row["mini_batches"].get<int>(), 4 * 2 + 3);
    EXPECT_GT(row["validation_accuracy"], 0.1);
    const bool is_front = &row >= &rows[2];
    const auto key = [](const Json& of) {
      return std::pair(of["validation_accuracy"].get<double>(),
                       -of["latency_ratio_int8"].get<double>());
    };
    if (is_front && (most_accurate == nullptr || key(row) > key(*most_accurate))) {
      most_accurate = &row;
    }
  }
  ASSERT_NE(most_accurate, nullptr);
  EXPECT_EQ(result["chosen"]["most_accurate"], (*most_accurate)["label"]);
  Json more_accurate = Json::array();
  for (const Json* row :
       {&result["reference"]["w8a8"], &result["reference"]["w4a4"], &result["ilp_start"]}) {
    if (!row->is_object()) continue;
    const double accuracy = (*row)["validation_accuracy"];
    const double found_accuracy = (*most_accurate)["validation_accuracy"];
    const double ratio = (*row)["latency_ratio_int8"];
    const double found_ratio = (*most_accurate)["latency_ratio_int8"];
    const bool better =
        accuracy > found_accuracy || (accuracy == found_accuracy && ratio < 0.99 * found_ratio);
    if (better && !InFront(result, *row)) more_accurate.push_back((*row)["label"]);
  }
  EXPECT_EQ(result["chosen"]["not_from_search_but_better"]["most_accurate"], more_accurate);
}

TEST_F(SearchProgramTest, SavesOnCtrlCAndSaysHowToResume) {
  const ProgramResult stopped =
      RunProgramUntil(Search("a.db"), SIGINT, [&] { return NumEvents("a.db") >= 16; });
  EXPECT_EQ(stopped.exit_code, 1);
  EXPECT_THAT(stopped.err, HasSubstr("--resume"));
  const ProgramResult resumed = RunProgram(Resume("a.db"));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(Json::parse(LinesOfType(resumed.out, "result").front())["measurements"], 10);
  // Every step is told once; the last one before the stop perhaps again.
  const std::size_t told =
      LinesOfType(stopped.out, "step").size() + LinesOfType(resumed.out, "step").size();
  EXPECT_GE(told, 10U);
  EXPECT_LE(told, 11U);
}

TEST_F(SearchProgramTest, LosesNoMeasurementOfARealBoard) {
  const std::vector<std::string> real = {ProgramPath("bitpilot"),
                                         "search",
                                         "--model",
                                         "resnet8",
                                         "--device",
                                         "local:scalar-popcnt",
                                         "--widths",
                                         "8",
                                         "--measurements",
                                         "3",
                                         "--study",
                                         folder_.Path("r.db"),
                                         "--json",
                                         "--policy",
                                         "uniform"};
  const ProgramResult killed =
      RunProgramUntil(real, SIGKILL, [&] { return NumEvents("r.db") >= 6; });
  ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err;
  const auto before = Study::OpenReadOnly(folder_.Path("r.db"));
  ASSERT_TRUE(before.ok()) << before.status().message();
  const std::vector<MeasurementRow> acknowledged = (*before)->Measurements().value();
  EXPECT_FALSE(acknowledged.empty());
  const ProgramResult resumed = RunProgram(Resume("r.db"));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  const auto after = Study::OpenReadOnly(folder_.Path("r.db"));
  ASSERT_TRUE(after.ok());
  const std::vector<MeasurementRow> all = (*after)->Measurements().value();
  ASSERT_GT(all.size(), acknowledged.size());
  for (std::size_t i = 0; i < acknowledged.size(); ++i) {
    EXPECT_EQ(all[i].measurement_id, acknowledged[i].measurement_id);
    EXPECT_EQ(all[i].window_ns, acknowledged[i].window_ns);
    EXPECT_EQ(all[i].source, "measured");
  }
  for (const MeasurementRow& row : all) {
    const auto conditions = ParseEvent<MeasurementConditions>(row.conditions);
    ASSERT_TRUE(conditions.ok()) << conditions.status().message();
    EXPECT_EQ(conditions->fingerprint.size(), 12U);
    EXPECT_GT(conditions->board.canary_ns.value_or(0.0), 0.0);
    EXPECT_GT(conditions->board.timed_ms, 0.0);
  }
  const Json front = Json::parse(LinesOfType(resumed.out, "result").front())["front"];
  EXPECT_THAT(front.at(0)["speed_int8"].get<std::string>(),
              testing::AnyOf("faster", "slower", "no difference"));
  EXPECT_EQ(Run({"replay", folder_.Path("r.db"), "--verify"}).exit_code, 0);
}

// The board's daemon was replaced by one with other kernels: their times cannot be mixed.
TEST_F(SearchProgramTest, RefusesToResumeOnADaemonOfAnotherKernelBuild) {
  ASSERT_EQ(
      RunProgramUntil(Search("a.db"), SIGKILL, [&] { return NumEvents("a.db") >= 3; }).exit_code,
      128 + SIGKILL);
  const auto original = Study::OpenReadOnly(folder_.Path("a.db"));
  ASSERT_TRUE(original.ok()) << original.status().message();
  Result<BoardEvent> board = ParseEvent<BoardEvent>((*original)->Events()->at(2).payload);
  ASSERT_TRUE(board.ok()) << board.status().message();
  board->board.kernel_build = "another-build";
  const std::string study = folder_.Path("b.db");
  {
    auto changed = Study::Create(study, (*original)->config_json());
    ASSERT_TRUE(changed.ok()) << changed.status().message();
    ASSERT_TRUE(AppendEvent(**changed, AgentEvent{"a test", "no solver"}).ok());
    ASSERT_TRUE(AppendEvent(**changed, *board).ok());
    ASSERT_TRUE((*changed)->Close().ok());
  }
  const ProgramResult resumed = RunProgram(Resume("b.db"));
  EXPECT_EQ(resumed.exit_code, 1);
  EXPECT_THAT(resumed.err, HasSubstr("kernel build \"another-build\""));
  EXPECT_THAT(resumed.err, HasSubstr("start a new study"));
  EXPECT_EQ(NumEvents("b.db"), 3U);
  EXPECT_EQ(Run({"log", "verify", study}).exit_code, 0);
}

TEST_F(SearchProgramTest, EvaluatesTheIntegerNetworkOnABoardAsOnTheHost) {
  const std::string few = FewImages();
  const std::vector<std::string> host = {"evaluate", "--model", "resnet8",   "--data", few,
                                         "--bits",   "w4a4",    "--integer", "--json"};
  std::vector<std::string> board = host;
  board.insert(board.end(), {"--device", "model:" + table_, "--fast"});
  const ProgramResult on_host = Run(host);
  const ProgramResult on_board = Run(board);
  ASSERT_EQ(on_host.exit_code, 0) << on_host.err;
  ASSERT_EQ(on_board.exit_code, 0) << on_board.err;
  const Json expected = Json::parse(LinesOfType(on_host.out, "result").front());
  const Json measured = Json::parse(LinesOfType(on_board.out, "result").front());
  EXPECT_EQ(expected["arithmetic"], "integer");
  EXPECT_EQ(measured["arithmetic"], "integer, on the board");
  EXPECT_EQ(measured["images"], 40);
  EXPECT_EQ(measured["correct"], expected["correct"]);
  EXPECT_EQ(measured["loss"], expected["loss"]);
  EXPECT_EQ(measured["source"], "MODEL:steps");
  EXPECT_LT(measured["latency_ratio_int8"], 1.0);
  EXPECT_EQ(measured["comparisons"], 1) << "nothing disturbs a model";
  EXPECT_EQ(measured["disturbances"], Json::array());
}

// Widths so far apart that no disturbance hides which is faster; where the machine tells two copies of
// one network apart, there is no verdict, and that is said.
TEST_F(SearchProgramTest, SaysWhichOfTwoNetworksIsFasterOnABoard) {
  const ProgramResult result =
      Run({"evaluate", "--model", "resnet8", "--data", FewImages(), "--bits", "w8a8", "--versus",
           "w1a1", "--integer", "--device", "local", "--json"});
  const std::vector<std::string> lines = LinesOfType(result.out, "result");
  ASSERT_EQ(lines.size(), 1U) << result.err;
  const Json line = Json::parse(lines.front());
  EXPECT_EQ(line["images"], 40);
  EXPECT_EQ(line["source"], "measured");
  EXPECT_EQ(line["b"]["versus"], "w1a1");
  EXPECT_LT(line["b"]["weight_bytes"], line["weight_bytes"]);
  EXPECT_NEAR(line["b"]["accuracy_difference"].get<double>(),
              line["accuracy"].get<double>() - line["b"]["accuracy"].get<double>(), 1e-12);
  EXPECT_GT(line["latency_median_ns"], line["b"]["latency_median_ns"]);
  const Json& versus = line["versus"];
  EXPECT_GT(versus["ratio_low"], 1.0);
  EXPECT_GE(versus["same"]["rounds"], 144);
  const bool told_apart = versus["same"]["told_apart"];
  EXPECT_EQ(versus["verdict"], told_apart ? Json(nullptr) : Json("slower"));
  EXPECT_EQ(result.exit_code, told_apart ? 4 : 3);
  EXPECT_TRUE(line["energy_versus"].is_null()) << "it was not asked for";
  EXPECT_THAT(result.err, HasSubstr("two copies of A, block 1 of 6"));
}

TEST_F(SearchProgramTest, SaysWhetherAnEarlierLatencyMayBeComparedWith) {
  const std::vector<std::string> evaluate = {"evaluate",  "--model",  "resnet8",        "--data",
                                             FewImages(), "--bits",   "w4a4",           "--json",
                                             "--integer", "--device", "model:" + table_};
  const ProgramResult first = Run(evaluate);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  Json earlier = Json::parse(LinesOfType(first.out, "result").front());
  EXPECT_EQ(earlier["measure_status"], "OK");
  const auto compare_with = [&](const std::string& text) {
    std::ofstream(folder_.Path("earlier.json")) << text;
    std::vector<std::string> again = evaluate;
    again.insert(again.end(), {"--compare", folder_.Path("earlier.json")});
    return Run(again);
  };
  const ProgramResult same = compare_with(earlier.dump());
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(
      Json::parse(LinesOfType(same.out, "result").front())["compared_with"]["same_fingerprint"],
      true);
  earlier["fingerprint"] = "0123456789ab";
  earlier["board"]["governor"] = "powersave";
  const ProgramResult other = compare_with(earlier.dump());
  const Json compared = Json::parse(LinesOfType(other.out, "result").front())["compared_with"];
  EXPECT_EQ(compared["same_fingerprint"], false);
  EXPECT_THAT(compared["changes"].get<std::string>(), HasSubstr("was powersave"));
  const ProgramResult none = compare_with("{}");
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.err, HasSubstr("evaluate --device D --json"));
}

// A full disk must not look like a success to scripts.
TEST_F(SearchProgramTest, FailsIfItsResultIsLost) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this system has no /dev/full";
  const ProgramResult result =
      RunProgram({"/bin/sh", "-c", ProgramPath("bitpilot") + " --version > /dev/full"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("standard output: cannot write"));
}

TEST_F(SearchProgramTest, ReportsEveryFailureAsJsonToo) {
  const std::vector<std::vector<std::string>> cases = {
      {"fly", "--json"},
      {"search", "--json"},
      {"search", "--study", "x.db", "--wings", "--json"},
      {"evaluate", "--model", "resnet8", "--bits", folder_.Path(""), "--json"},
      {"report", "\xff.db", "-o", folder_.Path("x.html"), "--json"}};
  for (const std::vector<std::string>& arguments : cases) {
    const ProgramResult result = Run(arguments);
    SCOPED_TRACE(result.err);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_FALSE(result.err.empty());
    EXPECT_EQ(Json::parse(result.out)["type"], "error");
  }
}

TEST_F(SearchProgramTest, ExplainsBadInput) {
  struct Case {
    std::vector<std::string> arguments;
    int exit_code;
    std::string says;
  };
  const std::string not_a_study = folder_.Path("text.db");
  std::ofstream(not_a_study) << "hello";
  const std::string odd = folder_.Path("odd.bin");
  std::ofstream(odd) << std::string(3073 + 5, '\1');
  const std::string torn = folder_.Path("torn.safetensors");
  std::ofstream(torn) << "torn";
  const std::string study = folder_.Path("new.db");
  const std::vector<Case> cases = {
      {{"search", "--model", "resnet9", "--study", study}, 2, "resnet8"},
      {{"search", "--weights", folder_.Path("none.safetensors"), "--study", study},
       1,
       "none.safetensors"},
      {{"search", "--weights", torn, "--study", study}, 1, "torn.safetensors"},
      {{"search", "--data", folder_.Path("nowhere"), "--study", study}, 1, "nowhere"},
      {{"search", "--policy", "magic", "--study", study}, 2, "amed"},
      {{"search", "--widths", "2,9", "--study", study}, 2, "1..8"},
      {{"search", "--device", "local:sse9", "--study", study}, 2, "sse9"},
      {{"search", "--device", "model:" + folder_.Path("none.table"), "--study", study},
       1,
       "none.table"},
      {{"search", "--max-latency", "fast", "--study", study}, 2, "--max-latency"},
      {{"search", "--study", not_a_study}, 2, "text.db"},
      {{"search", "--study", not_a_study, "--resume"}, 1, "text.db"},
      {{"search", "--study", study, "--resume"}, 1, "new.db"},
      {{"evaluate", "--model", "resnet8", "--bits", "w9a4"}, 2, "1..8"},
      {{"evaluate", "--model", "resnet8", "--bits", "w-1a4"}, 2, "1..8"},
      {{"evaluate", "--model", "resnet8", "--data", odd}, 1, "odd.bin"},
      {{"evaluate", "--model", "resnet8", "--bits", folder_.Path("")}, 1, folder_.Path("")},
      {{"train", "--model", "resnet8", "--bits", "w4a4", "--data", odd, "-o", "x"}, 1, "a file"},
      {{"evaluate", "--model", "resnet20"}, 2, "--weights"},
      {{"evaluate", "--model", "resnet8", "--bits", "w4a4", "--device", ""}, 2, "--device"},
      {{"evaluate", "--model", "resnet8", "--bits", "w4a4", "--board", "b"}, 2, "--fleet"},
      {{"evaluate", "--model", "resnet8", "--calibration", "sample"}, 2, "--bits"},
      {{"search", "--board", "b", "--study", study}, 2, "--fleet"},
      {{"replay", folder_.Path("none.db"), "--verify"}, 1, "none.db"},
      {{"log", "verify", not_a_study}, 1, "text.db"},
      {{"report", not_a_study, "-o", folder_.Path("x.html")}, 1, "text.db"},
      {{"fly"}, 2, "fly"},
  };
  for (const Case& bad : cases) {
    const ProgramResult result = Run(bad.arguments);
    SCOPED_TRACE(bad.arguments[0] + " ... " + bad.says + "\n" + result.err);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_LT(result.exit_code, 3);
    EXPECT_EQ(result.exit_code, bad.exit_code);
    EXPECT_THAT(result.err, HasSubstr(bad.says));
    EXPECT_FALSE(std::filesystem::exists(study));
  }
}

}  // namespace
}  // namespace bitpilot
