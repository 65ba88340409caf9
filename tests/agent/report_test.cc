#include "agent/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>

#include "agent/fleet/board_conditions.h"
#include "agent/report/figures.h"
#include "agent/report/report_data.h"
#include "agent/study/config_fields.h"
#include "agent/study/sqlite/sqlite_database.h"
#include "tests/agent/sample_study.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class WriteReportTest : public testing::Test {
 protected:
  std::string Render(const SampleStudyOptions& options = {}) {
    WriteSampleStudy(study_path_, options);
    return RenderFile();
  }

  std::string RenderFile() {
    const Status status = WriteReport(study_path_, html_path_);
    EXPECT_TRUE(status.ok()) << status.message();
    return ReadBytes(html_path_);
  }

  StudyFolder folder_;
  std::string study_path_ = folder_.Path("a.db");
  std::string html_path_ = folder_.Path("a.html");
};

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// True if every element of `html` is closed in order. Void and self-closed elements need no end.
bool IsBalanced(const std::string& html) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-zA-Z0-9]+)[^>]*?(/?)>");
  for (auto it = std::sregex_iterator(html.begin(), html.end(), tag); it != std::sregex_iterator();
       ++it) {
    const std::string name = (*it)[2];
    if (name == "meta" || (*it)[3] == "/") continue;
    if ((*it)[1] != "/") {
      open.push_back(name);
      continue;
    }
    if (open.empty() || open.back() != name) return false;
    open.pop_back();
  }
  return open.empty();
}

TEST_F(WriteReportTest, ShowsEveryFinalCandidateWithItsNumbers) {
  const std::string html = Render();
  for (const char* label : {"uniform 8 bit", "uniform 4 bit", "ilp start", "front 1", "front 6"}) {
    EXPECT_THAT(html, HasSubstr(label));
  }
  EXPECT_THAT(html, HasSubstr("86.60 %"));         // 1732 of 2000
  EXPECT_THAT(html, HasSubstr("[85.10, 88.00]"));  // its interval
  EXPECT_THAT(html, HasSubstr("\u22124.30"));      // uniform 4 bit, paired: 82.3 - 86.6
  EXPECT_THAT(html, HasSubstr("ratio on avx512vnni"));
  EXPECT_THAT(html, HasSubstr("met</td>"));
  EXPECT_THAT(html, HasSubstr(">missed</td>"));
  EXPECT_THAT(html, HasSubstr("verified"));
  EXPECT_THAT(html, HasSubstr("Noisy and failed measurements: 2 of 33"));
  EXPECT_THAT(html, Not(HasSubstr("MODEL")));
}

// By the test images "front 4" would be the fastest within 1 point of 8 bit, and "front 3" within
// 3: on validation they are "front 5" and "front 2".
TEST_F(WriteReportTest, ChoosesWhatItShowsFirstByValidation) {
  const std::string html = Render();
  EXPECT_THAT(html, ContainsRegex("within 1 point of 8 bit on validation</span><b>[^<]*</b>"
                                  "<span>front 5: 86.4 % test accuracy"));
  EXPECT_THAT(html, ContainsRegex("within 3 points of 8 bit on validation</span><b>[^<]*</b>"
                                  "<span>front 2: 83.4 % test accuracy"));
  EXPECT_THAT(html, HasSubstr("validation 85.6 %"));
  EXPECT_THAT(html,
              HasSubstr("Chosen by validation images: fastest within 1 point of 8 bit: front 5"));
}

TEST_F(WriteReportTest, SaysWhatTrainingEachRowHad) {
  const std::string html = Render();
  EXPECT_THAT(html, HasSubstr("1252 mini-batches, the last 52 at these widths, from twin"));
  EXPECT_THAT(html, HasSubstr("1252 mini-batches, the last 52 at these widths, from search"));
  EXPECT_THAT(html, HasSubstr("The rows are trained alike"));
  EXPECT_THAT(html, HasSubstr("uniform 8 bit alone 1200 mini-batches"));
  EXPECT_THAT(html, HasSubstr("networks of this table 52 mini-batches each"));
  EXPECT_THAT(html, Not(HasSubstr("not trained alike")));
}

TEST_F(WriteReportTest, CallsNoBudgetMetThatNobodyGave) {
  const std::string html = Render({.max_latency = "null"});
  EXPECT_THAT(html, HasSubstr(">none given</td>"));
  EXPECT_THAT(html, Not(HasSubstr(">met</td>")));
}

TEST_F(WriteReportTest, ShowsWhatEveryDecisionExpectedAndWhatCame) {
  const std::string html = Render();
  EXPECT_THAT(html, HasSubstr("All 24 decisions"));
  EXPECT_THAT(html, HasSubstr(">0.3500 \u00b1 0.0980<"));  // 1.96 x 0.05
  EXPECT_THAT(html, ContainsRegex(">#2</td><td class=\"number\">2</td><td class=\"number\">#1<"));
  EXPECT_THAT(html, HasSubstr(">front, place<"));
  EXPECT_THAT(html, HasSubstr("<th>excess over 8 bit</th>"));
  EXPECT_THAT(html, HasSubstr("<th>reward</th>"));
}

TEST_F(WriteReportTest, PrintsCandidatesAsFilesForBits) {
  const std::string html = Render();
  EXPECT_THAT(html, HasSubstr("activation_names"));
  EXPECT_THAT(html, HasSubstr("weight_bits"));
}

// A study of log version 2: what it holds is shown, and nothing is claimed that it does not.
TEST_F(WriteReportTest, ShowsAStudyOfAnOlderBitpilot) {
  SampleStudyOptions options;
  options.older = true;
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("calibrated only"));
  EXPECT_THAT(html, HasSubstr("The rows are not trained alike"));
  EXPECT_THAT(html, HasSubstr("faster; not told apart from front 3"));
  EXPECT_THAT(html, HasSubstr("ratio on avx512vnni"));
  EXPECT_THAT(html, HasSubstr("All 24 decisions"));
  EXPECT_THAT(html, HasSubstr("front 6"));
  EXPECT_TRUE(IsBalanced(html));
}

// Its events are those of today, by other rules.
TEST_F(WriteReportTest, ShowsAStudyOfLogVersion3AsOneOfToday) {
  SampleStudyOptions options;
  options.log_version = 3;
  study_path_ = folder_.Path("version-3.db");
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("All 24 decisions"));
  EXPECT_THAT(html, HasSubstr("networks of this table 52 mini-batches each"));
  EXPECT_THAT(html, Not(HasSubstr("not trained alike")));
  EXPECT_THAT(html, HasSubstr("<th>reward</th>"));
  const std::optional<LogProblem> problem = ValueOrDie(VerifyLog(study_path_));
  EXPECT_FALSE(problem) << problem->what;
}

TEST_F(WriteReportTest, TheLegendHasNoRoleWithoutAMark) {
  WriteSampleStudy(study_path_);
  ReportData data = ValueOrDie(ReadReportData(study_path_));
  EXPECT_THAT(ParetoPlot(data), HasSubstr("uniform 4 bit</li>"));
  for (FinalRow& row : data.final->rows) {
    if (row.role != FinalistRole::kUniform4) continue;
    row.ratio.reset();
    row.no_figures_reason = "its weights diverged";
  }
  EXPECT_THAT(ParetoPlot(data), Not(HasSubstr("uniform 4 bit</li>")));
}

TEST_F(WriteReportTest, ClaimsOnlyWhatTheRoundsTell) {
  const std::string html = Render();
  EXPECT_THAT(html, HasSubstr("faster; not told apart from front 3"));
  EXPECT_THAT(html, HasSubstr("faster; not told apart from front 2"));
  EXPECT_THAT(html, Not(HasSubstr("Fastest")));
  EXPECT_THAT(html, HasSubstr("measured 2 times; all but the last were disturbed"));
  SampleStudyOptions model;
  model.from_model = true;
  study_path_ = folder_.Path("model.db");
  const std::string of_model = Render(model);
  EXPECT_THAT(of_model, Not(HasSubstr("faster</div>")));
  EXPECT_THAT(of_model, Not(HasSubstr("were disturbed")));
}

TEST_F(WriteReportTest, ShowsUnderWhichConditionsWasMeasured) {
  const std::string html = Render();
  EXPECT_THAT(html, HasSubstr("<td>performance</td>"));
  EXPECT_THAT(html, HasSubstr("51 C"));
  EXPECT_THAT(html, HasSubstr("cpu0 is watched (33 measurements)"));
  EXPECT_THAT(html, Not(HasSubstr("fingerprints: ")));
}

// Each takes the board 310 ms.
TEST_F(WriteReportTest, SaysWhatMeasuringNoisyCandidatesAgainCost) {
  EXPECT_THAT(Render(), Not(HasSubstr("measured again in longer windows")));
  SampleStudyOptions options;
  options.repeated = 3;
  study_path_ = folder_.Path("repeated.db");
  EXPECT_THAT(Render(options),
              HasSubstr("measured again in longer windows: 3 times, 0.9 s of the board."));
  options.doubled_windows = 1;  // then its bitpilotd was replaced by an older one
  study_path_ = folder_.Path("older.db");
  EXPECT_THAT(Render(options),
              HasSubstr("measured again: 3 times, 0.9 s of the board; 1 of them in "
                        "longer windows."));
}

TEST_F(WriteReportTest, WarnsOfMeasurementsUnderDifferentFingerprints) {
  SampleStudyOptions options;
  options.powersave_from = 12;
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("have 2 fingerprints: governor is powersave, was performance. Ratios "
                              "to 8 bit of the same rounds can be compared, latencies cannot."));
  EXPECT_THAT(html, HasSubstr("1500 to 3300"));
}

TEST_F(WriteReportTest, LoadsNothingAndRunsNothing) {
  const std::string html = Render();
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* part :
       {"http://", "https://", "src=", "href=", "url(", "<script", "@import", "onload"}) {
    EXPECT_THAT(html, Not(HasSubstr(part)));
  }
}

TEST_F(WriteReportTest, ClosesEveryElement) { EXPECT_TRUE(IsBalanced(Render())); }

TEST_F(WriteReportTest, DrawsEveryWindowAndEveryMeasuredCandidate) {
  const std::string html = Render();
  EXPECT_EQ(Count(html, "class=\"window "), 9 * 21);  // nine final candidates, 21 windows each
  EXPECT_EQ(Count(html, ", hypervolume so far "), 3 * 23);  // 24 steps, one failed; three panels
}

TEST_F(WriteReportTest, NamesEveryLayerAndShowsGroupsAsRuns) {
  SampleStudyOptions options;
  options.channel_groups = true;
  const std::string html = Render(options);
  const ReportData data = ValueOrDie(ReadReportData(study_path_));
  for (const std::string& layer : data.problem->layers)
    EXPECT_THAT(html, HasSubstr(">" + layer + "<"));
  for (const std::string& tensor : data.problem->tensors) {
    EXPECT_THAT(html, HasSubstr(">" + tensor + "<"));
  }
  EXPECT_THAT(html, HasSubstr("4 channels x 8 bits"));
}

// Of two classes, "a" with two boards and "b" with one.
ReportData OfTwoClasses(const std::string& path) {
  WriteSampleStudy(path);
  ReportData data = ValueOrDie(ReadReportData(path));
  BoardEvent board = data.classes.front();
  data.classes.clear();
  data.class_boards.clear();
  for (const char* on : {"a", "b"}) {
    board.on = on;
    board.board.isa = board.on == "a" ? "avx2" : "avx512vnni";
    data.classes.push_back(board);
    data.class_boards.push_back(board.board);
    data.final->classes.push_back({on, data.final->rows, {}});
    for (FinalRow& row : data.final->classes.back().rows) row.on = on;
  }
  data.final->rows = data.final->classes.front().rows;
  data.final->full_isa.reset();
  data.board_names = {{"a", {"bench-1", "bench-2"}}, {"b", {"bench-3"}}};
  for (std::size_t i = 0; i < data.measurements.size(); ++i) {
    const BoardEvent& of = data.classes[i % 2];
    BoardInfo info = of.board;
    data.conditions[i].on = of.on;
    data.conditions[i].board_name = info.name =
        data.board_names[of.on][i / 2 % data.board_names[of.on].size()];
    data.measurements[i].board = ToJson(info);
    data.conditions[i].fingerprint = FingerprintOf(info, data.conditions[i].board);
  }
  return data;
}

TEST_F(WriteReportTest, NamesTheClassesAndTheBoardsOfEach) {
  const ReportData data = OfTwoClasses(study_path_);
  const std::string line = FactsLine(data);
  EXPECT_THAT(line, HasSubstr("<b>class a</b>bench-1, bench-2<"));
  EXPECT_THAT(line, HasSubstr("<b>class b</b>bench-3<"));
  const std::string tables = FactsTables(data);
  EXPECT_THAT(tables, HasSubstr("<td>avx2</td>"));
  EXPECT_THAT(tables, HasSubstr("<td>avx512vnni</td>"));
  EXPECT_TRUE(IsBalanced(tables));
}

TEST_F(WriteReportTest, BoardsThatDifferInTheirNamesAloneAreNoChangeOfConditions) {
  ReportData data = OfTwoClasses(study_path_);
  EXPECT_EQ(FingerprintBanner(data), "");
  BoardInfo changed = data.classes[1].board;  // an odd measurement is of "b"
  changed.governor = "powersave";
  data.conditions[1].board.governor = "powersave";
  data.conditions[1].fingerprint = FingerprintOf(changed);
  EXPECT_THAT(FingerprintBanner(data), HasSubstr("of class b have 2 fingerprints: governor"));
  EXPECT_THAT(FingerprintBanner(data), Not(HasSubstr("class a")));
}

TEST_F(WriteReportTest, HasNoColumnOfTheLatenciesOfDifferentClasses) {
  ReportData data = OfTwoClasses(study_path_);
  std::string table = SummaryTable(data);
  EXPECT_THAT(table, Not(HasSubstr("latency, median")));
  EXPECT_THAT(table, HasSubstr(">on a</div>"));
  EXPECT_THAT(table, Not(HasSubstr("MODEL")));
  EXPECT_TRUE(IsBalanced(table));
  EXPECT_EQ(Count(table, "<th>") - static_cast<int>(data.final->rows.size()), 6)
      << "candidate, accuracy, difference, ratio, weights, budget";
  for (FinalRow& row : data.final->classes[1].rows) row.source = "MODEL:mpic";
  EXPECT_THAT(ClassesTable(data), HasSubstr("ratio to 8 bit on b, MODEL:mpic"));
  EXPECT_THAT(ClassesTable(data), HasSubstr("ratio to 8 bit on a<"));
  EXPECT_THAT(SummaryTable(data), Not(HasSubstr("MODEL"))) << "these ratios are of \"a\"";
  data.final->rows = data.final->classes[1].rows;
  EXPECT_THAT(SummaryTable(data), HasSubstr(">on b, MODEL</div>"));
}

TEST_F(WriteReportTest, NamesTheModelsOfAllClasses) {
  SampleStudyOptions options;
  options.from_model = options.two_models = true;
  const std::string html = Render(options);
  EXPECT_THAT(html,
              HasSubstr("<h1>Mixed-precision search: resnet8 on MODEL:mpic, MODEL:slope</h1>"));
  EXPECT_THAT(html, HasSubstr("cost table (MODEL:mpic, MODEL:slope), not measured"));
}

TEST_F(WriteReportTest, LabelsAModelsNumbers) {
  SampleStudyOptions options;
  options.from_model = true;
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("MODEL: every latency below was computed from a cost table"));
  EXPECT_THAT(html, HasSubstr("latency, median <span class=\"model\">MODEL</span>"));
  EXPECT_THAT(html, HasSubstr("MODEL, not measured"));
  EXPECT_THAT(html, HasSubstr("<h1>Mixed-precision search: resnet8 on MODEL:"));
  EXPECT_THAT(html, HasSubstr("Candidates computed (MODEL)"));
  // The machine that checked the outputs was not timed.
  for (const char* of_measurements : {"Timing windows", "Kernels that ran", "instruction set",
                                      "avx2", "interval half-width", "every measured"}) {
    EXPECT_THAT(html, Not(HasSubstr(of_measurements)));
  }
  EXPECT_TRUE(IsBalanced(html));
}

TEST_F(WriteReportTest, ShowsMeasuredEnergiesWithTheirSourceAndAnAxisOfTheirOwn) {
  SampleStudyOptions options;
  options.energy = true;
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("METER_EXTERNAL meter:bench"));
  EXPECT_THAT(html, HasSubstr("340.0 \u00b1 5.1 \u00b5J"));  // gross of uniform 8 bit
  EXPECT_THAT(html, HasSubstr("250.0 \u00b1 6.0 \u00b5J"));  // net of idle
  EXPECT_THAT(html, HasSubstr("not measured: the meter has ended"));
  EXPECT_THAT(html, HasSubstr("gross energy relative to uniform 8 bit, measured"));
  EXPECT_THAT(html, HasSubstr("Hypervolume with energy"));
  EXPECT_THAT(html, Not(HasSubstr("uJ-model")));
  EXPECT_THAT(html, Not(HasSubstr("Energy as the model claims it")));
  EXPECT_TRUE(IsBalanced(html));
}

TEST_F(WriteReportTest, ShowsAModelsEnergiesInItsOwnUnitAndNoJoules) {
  SampleStudyOptions options;
  options.energy = true;
  options.from_model = true;
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("128.20 uJ-model"));
  EXPECT_THAT(html, HasSubstr("MODEL, not measured  (left needs less)"));
  EXPECT_THAT(html, Not(HasSubstr("\u00b5J")));
  EXPECT_THAT(html, Not(HasSubstr("relative to uniform 8 bit, measured")));
  EXPECT_TRUE(IsBalanced(html));
}

TEST_F(WriteReportTest, SaysNothingOfEnergyWhereNobodyAskedForIt) {
  EXPECT_THAT(Render(), Not(HasSubstr("<h2>Energy")));
}

TEST_F(WriteReportTest, EscapesWhatABoardCallsItself) {
  SampleStudyOptions options;
  options.board_name = "<img src=x onerror=alert(1)>";
  const std::string html = Render(options);
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=alert(1)&gt;"));
}

TEST_F(WriteReportTest, ReportsASearchThatHasNotFinished) {
  SampleStudyOptions options;
  options.finished = false;
  const std::string html = Render(options);
  EXPECT_THAT(html, HasSubstr("has not finished"));
  EXPECT_THAT(html, HasSubstr("Course of the search"));
  EXPECT_TRUE(IsBalanced(html));
}

// A key of the configuration that no flag sets is a checksum.
TEST_F(WriteReportTest, RepeatsASearchWithEveryKeyOfItsConfiguration) {
  SearchConfig config;
  config.board = "pi";
  config.classes = {"pi5", "n2"};
  config.cpu = "3";
  config.fleet = "fleet.toml";
  config.meter = "meter-replay";
  config.weights = "net.safetensors";
  config.policy_options = R"({"explore":1})";
  config.board_seconds = 60;
  config.final_batches = 20;
  config.train_threads = 2;
  config.fast = config.search_ends = true;
  config.distill = false;
  config.budgets = {.max_latency_ratio = 0.5,
                    .max_energy_ratio = 0.5,
                    .max_weight_bytes = 4000,
                    .min_accuracy = 0.5};
  ASSERT_TRUE(Study::Create(study_path_, ToJson(config).dump()).ok());
  const std::string html = RenderFile();
  const std::string command = html.substr(html.find("bitpilot search"));
  const nlohmann::json keys = ToJson(config);
  for (const ConfigField& field : ConfigFields()) {
    if (field.key.empty()) continue;
    EXPECT_EQ(field.flag.empty(), field.key.ends_with("_sha256")) << field.key;
    const bool is_set = keys.at(std::string(field.key)) != "";
    if (field.flag.empty() || !is_set) continue;
    EXPECT_THAT(command, HasSubstr(" " + std::string(field.flag))) << field.key;
  }
}

TEST_F(WriteReportTest, ReportsAStudyThatHoldsOnlyItsConfiguration) {
  ASSERT_TRUE(Study::Create(study_path_, "{}").ok());
  EXPECT_TRUE(IsBalanced(RenderFile()));
}

TEST_F(WriteReportTest, SaysThatALogIsDamaged) {
  WriteSampleStudy(study_path_);
  ASSERT_TRUE(
      ValueOrDie(SqliteDatabase::Open(study_path_, SqliteMode::kReadWrite))
          ->Execute("DROP TRIGGER measurement_no_update; UPDATE measurement SET detail = 'x' "
                    "WHERE measurement_id = 'step-0'")
          .ok());
  const std::string html = RenderFile();
  EXPECT_THAT(html, HasSubstr("does not verify"));
  EXPECT_THAT(html, HasSubstr("measurement step-0 was altered"));
}

TEST_F(WriteReportTest, NamesAnEventThatCannotBeRead) {
  {
    const auto study = ValueOrDie(Study::Create(study_path_, "{}"));
    ASSERT_TRUE(study->Append("transition", R"({"step":0})").ok());
  }
  const Status status = WriteReport(study_path_, html_path_);
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(), HasSubstr("event 2 (transition)"));
  EXPECT_FALSE(std::filesystem::exists(html_path_));
}

TEST_F(WriteReportTest, NamesAStudyThatIsMissing) {
  EXPECT_EQ(WriteReport(study_path_, html_path_).code(), StatusCode::kNotFound);
}

TEST_F(WriteReportTest, DrawsDeepNetworks) {
  SampleStudyOptions options;
  options.model = "resnet56";
  EXPECT_TRUE(IsBalanced(Render(options)));
}

}  // namespace
}  // namespace bitpilot
