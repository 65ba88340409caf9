// Searches with input that is not what was asked for, as a user runs them. The board is the shipped
// table of one, whole or with rows taken out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/profile/model_board.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

constexpr char kBoard[] = "mpic_resnet8";  // widths 2, 4 and 8

class SearchInputTest : public testing::Test {
 protected:
  SearchInputTest() { UseSmallSample(); }

  ProgramResult Search(const std::string& study, const std::vector<std::string>& more) const {
    // Few images: how exact the networks are does not matter here.
    std::vector<std::string> arguments = {
        ProgramPath("bitpilot"), "search", "--study",        study, "--fast", "--json",
        "--calibration-images",  "16",     "--measurements", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(arguments);
  }

  // The shipped board without the rows for which `is_gone` holds.
  template <typename IsGone>
  std::string BoardWithout(IsGone is_gone) const {
    CostTable table = ReadModelBoard(kBoard).value();
    std::erase_if(table.operations, [&](const auto& row) {
      const auto& [name, weights, activations] = row.first;
      return is_gone(name, weights, activations);
    });
    const std::string path = folder_.Path("some.cost");
    std::ofstream(path) << FormatCostTable(table);
    return "model:" + path;
  }

  StudyFolder folder_;
};

TEST_F(SearchInputTest, TakesPathsThatAreNotUtf8) {
  const std::string study = folder_.Path("\xff\xfe.db");
  const ProgramResult search =
      Search(study, {"--device", std::string("model:") + kBoard, "--widths", "2,4,8"});
  ASSERT_EQ(search.exit_code, 0) << search.err;
  ASSERT_EQ(LinesOfType(search.out, "result").size(), 1U);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"replay", study, "--verify"},
        {"log", "verify", study},
        {"report", study, "-o", folder_.Path("\xff.html")}}) {
    std::vector<std::string> arguments = {ProgramPath("bitpilot")};
    arguments.insert(arguments.end(), command.begin(), command.end());
    arguments.emplace_back("--json");
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(LinesOfType(result.out, "result").size(), 1U) << result.out;
  }
  // The page itself, and nothing else.
  const ProgramResult page = RunProgram({ProgramPath("bitpilot"), "report", study, "-o", "-"});
  EXPECT_EQ(page.exit_code, 0) << page.err;
  EXPECT_TRUE(page.out.starts_with("<!DOCTYPE html>"));
  EXPECT_TRUE(page.out.ends_with("</html>\n"));
  EXPECT_FALSE(std::filesystem::exists("-"));
  EXPECT_EQ(RunProgram({ProgramPath("bitpilot"), "report", study, "-o", "-", "--json"}).exit_code,
            2);
}

TEST_F(SearchInputTest, SaysBeforeItLoadsThatAMeterDoesNotStart) {
  const std::string meter = "exec /nonexistent/meter";
  const ProgramResult search =
      RunProgram({ProgramPath("bitpilot"), "search", "--study", folder_.Path("a.db"), "--device",
                  "local:scalar", "--meter", meter, "--json"});
  EXPECT_EQ(search.exit_code, 1);
  EXPECT_THAT(search.err, HasSubstr("cannot be started: there is no such program"));
  for (const std::string& phase : LinesOfType(search.out, "phase")) {
    EXPECT_THAT(phase, Not(HasSubstr("loading")));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("a.db")));
  // Images that are no images would be found first, if they were read first.
  const std::string no_images = folder_.Path("test.bin");
  std::ofstream(no_images) << "none";
  const ProgramResult evaluate =
      RunProgram({ProgramPath("bitpilot"), "evaluate", "--model", "resnet8", "--bits", "w4a4",
                  "--device", "local:scalar", "--meter", meter, "--data", no_images, "--json"});
  EXPECT_EQ(evaluate.exit_code, 1);
  EXPECT_THAT(evaluate.err, HasSubstr("cannot be started: there is no such program"));
}

TEST_F(SearchInputTest, SaysThatNothingIsLostWhereItIsStoppedBeforeThereIsAStudy) {
  const std::string said = folder_.Path("said");
  const std::string study = folder_.Path("a.db");
  const ProgramResult stopped = RunProgramUntil(
      {"/bin/sh", "-c", "exec \"$@\" 2> \"$0\"", said, ProgramPath("bitpilot"), "search", "--study",
       study, "--device", std::string("model:") + kBoard, "--fast"},
      SIGTERM,
      [&] { return ReadBytes(said).find("connecting to the board") != std::string::npos; });
  EXPECT_EQ(stopped.exit_code, 1);
  EXPECT_THAT(ReadBytes(said), HasSubstr("stopped before anything was begun: there is no study " +
                                         study + " yet, and the same command starts it"));
  EXPECT_FALSE(std::filesystem::exists(study));
}

TEST_F(SearchInputTest, SaysBeforeTheSearchWhichWidthsTheTableLacks) {
  const std::string board =
      BoardWithout([](const std::string&, int weights, int) { return weights == 2; });
  const ProgramResult search =
      Search(folder_.Path("a.db"), {"--device", board, "--widths", "2,4,8"});
  EXPECT_EQ(search.exit_code, 0) << search.err;
  const auto notice = search.out.find("pairs of a layer and widths cannot be measured");
  EXPECT_NE(notice, std::string::npos) << search.out;
  EXPECT_LT(notice, search.out.find("\"step\""));
  EXPECT_THAT(search.out, HasSubstr("give --weight-widths 4,8 --activation-widths 2,4,8"));
  const ProgramResult none = Search(folder_.Path("b.db"), {"--device", board, "--widths", "2"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("no time of layer"));
  EXPECT_THAT(none.err, Not(HasSubstr("loading")));
}

TEST_F(SearchInputTest, SearchesATableWithout4BitsAndSaysThatTheReferenceIsMissing) {
  const std::string board = BoardWithout([](const std::string&, int weights, int activations) {
    return weights == 4 || activations == 4;
  });
  const std::string study = folder_.Path("a.db");
  const ProgramResult search = Search(study, {"--device", board, "--widths", "2,8"});
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const Json result = Json::parse(LinesOfType(search.out, "result").front());
  EXPECT_TRUE(result["reference"].contains("w8a8"));
  EXPECT_FALSE(result["reference"].contains("w4a4"));
  EXPECT_THAT(result["no_w4a4"].get<std::string>(), HasSubstr("4 is not among the widths"));
  EXPECT_FALSE(result["front"].empty());
  const ProgramResult page = RunProgram({ProgramPath("bitpilot"), "report", study, "-o", "-"});
  EXPECT_THAT(page.out, HasSubstr("There is no uniform 4 bit: 4 is not among the widths"));
  EXPECT_EQ(RunProgram({ProgramPath("bitpilot"), "replay", "--verify", study}).exit_code, 0);
}

// What stands in the table for the pair that it lacks is no answer of the board.
TEST_F(SearchInputTest, LeavesTheReferenceOutIfTheTableAloneLacksIt) {
  const std::string board = BoardWithout([](const std::string& name, int weights, int activations) {
    return name == "conv2d_3" && weights == 4 && activations == 4;
  });
  const std::string study = folder_.Path("a.db");
  const ProgramResult search = Search(study, {"--device", board, "--widths", "4,8"});
  ASSERT_EQ(search.exit_code, 0) << search.err;
  EXPECT_THAT(search.out, HasSubstr("pairs of a layer and widths cannot be measured"));
  const Json result = Json::parse(LinesOfType(search.out, "result").front());
  EXPECT_FALSE(result["reference"].contains("w4a4"));
  EXPECT_THAT(result["no_w4a4"].get<std::string>(), HasSubstr("op conv2d_3 w 4 a 4"));
  EXPECT_EQ(RunProgram({ProgramPath("bitpilot"), "replay", "--verify", study}).exit_code, 0);
  const ProgramResult whole =
      Search(folder_.Path("b.db"), {"--device", std::string("model:") + kBoard, "--widths", "4,8"});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const Json both = Json::parse(LinesOfType(whole.out, "result").front());
  EXPECT_TRUE(both["reference"].contains("w4a4"));
  EXPECT_TRUE(both["no_w4a4"].is_null());
}

// Two layers read one tensor, and the table knows either at another width of it.
TEST_F(SearchInputTest, FailsIfNoCandidateWasMeasured) {
  const std::string board = BoardWithout([](const std::string& name, int weights, int activations) {
    const bool is_reference = weights == activations && weights != 2;
    if (is_reference) return false;
    return (name == "conv2d_3" && activations == 2) || (name == "conv2d_5" && activations != 2);
  });
  const ProgramResult search =
      Search(folder_.Path("a.db"), {"--device", board, "--weight-widths", "2",
                                    "--activation-widths", "2,4,8", "--max-latency", "0.9x"});
  EXPECT_EQ(search.exit_code, 1) << search.out;
  EXPECT_THAT(search.err, HasSubstr("no candidate was measured"));
  EXPECT_THAT(search.err, HasSubstr("has no row"));
  EXPECT_TRUE(LinesOfType(search.out, "result").empty());
  EXPECT_EQ(LinesOfType(search.out, "error").size(), 1U);
}

TEST_F(SearchInputTest, SaysWhatWouldHaveToGiveForABudgetThatWasMissed) {
  const ProgramResult search =
      Search(folder_.Path("a.db"), {"--device", std::string("model:") + kBoard, "--widths", "2,4,8",
                                    "--min-accuracy", "0.99", "--max-latency", "2x"});
  EXPECT_EQ(search.exit_code, 3) << search.err;
  EXPECT_THAT(search.err, HasSubstr("nearest to --max-latency"));
  EXPECT_THAT(search.err, HasSubstr(" would take "));
  const Json result = Json::parse(LinesOfType(search.out, "result").front());
  ASSERT_EQ(result["budgets"].size(), 2U);
  EXPECT_EQ(result["budgets"][1]["flag"], "--min-accuracy");
  EXPECT_TRUE(result["budgets"][1]["alone"].is_string());
  EXPECT_TRUE(result["budgets"][1]["nearest_test_accuracy"].is_number());
}

// A budget between the two accuracies of uniform 8 bit tells which of them judges.
TEST_F(SearchInputTest, JudgesAccuracyByValidationImages) {
  const std::vector<std::string> flags = {"--device", std::string("model:") + kBoard, "--widths",
                                          "2,4,8"};
  const auto uniform8_of = [](const ProgramResult& search) {
    return Json::parse(LinesOfType(search.out, "result").front())["reference"]["w8a8"];
  };
  const Json free = uniform8_of(Search(folder_.Path("free.db"), flags));
  const double validation = free["validation_accuracy"].get<double>();
  const double test = free["accuracy"].get<double>();
  ASSERT_NE(validation, test);
  std::vector<std::string> with_budget = flags;
  with_budget.insert(with_budget.end(),
                     {"--min-accuracy", std::to_string((validation + test) / 2)});
  const Json judged = uniform8_of(Search(folder_.Path("budget.db"), with_budget));
  EXPECT_EQ(judged["budget_met"], validation > test);
}

TEST_F(SearchInputTest, RefusesBatchesThatAreLargerThanTheData) {
  const std::vector<std::string> device = {"--device", std::string("model:") + kBoard};
  std::vector<std::string> flags = device;
  flags.insert(flags.end(), {"--train-batches", "1", "--batch-size", "129"});
  const ProgramResult search = Search(folder_.Path("a.db"), flags);
  EXPECT_EQ(search.exit_code, 2);
  EXPECT_THAT(search.err, HasSubstr("the data has only 128 training images"));
}

// What help tells people to begin with, in a folder in which nothing is. The flags behind it only
// make it short.
TEST_F(SearchInputTest, StartsAsHelpSaysInAnEmptyFolder) {
  const std::string help = RunProgram({ProgramPath("bitpilot"), "--help"}).out;
  const std::string label = "Start here: bitpilot ";
  const std::size_t begin = help.find(label);
  ASSERT_NE(begin, std::string::npos);
  const std::string line =
      help.substr(begin + label.size(), help.find('\n', begin) - begin - label.size());
  const ProgramResult search =
      RunProgram({"/bin/sh", "-c",
                  "cd '" + folder_.Path("") + "' && exec '" + ProgramPath("bitpilot") + "' " +
                      line + " --device model:" + kBoard +
                      " --widths 2,4,8 --fast --measurements 1 --calibration-images 16"});
  EXPECT_EQ(search.exit_code, 0) << search.err;
  EXPECT_TRUE(std::filesystem::exists(folder_.Path("runs/first.db")));
}

TEST_F(SearchInputTest, ReadsTextFilesThatBeginWithAByteOrderMark) {
  const std::string path = folder_.Path("marked.cost");
  std::ofstream(path) << "\xef\xbb\xbf" << FormatCostTable(ReadModelBoard(kBoard).value());
  EXPECT_TRUE(ReadModelBoard(path).ok()) << ReadModelBoard(path).status().message();
  EXPECT_TRUE(ReadCostTableFile(path).ok());
}

}  // namespace
}  // namespace bitpilot
