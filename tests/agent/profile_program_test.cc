// `bitpilot profile` as a user runs it, with a cost table for a board: its own profile must be that
// table again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "agent/profile/model_board.h"
#include "kernels/base/file_lock.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

const std::string kMpic = BITPILOT_SOURCE_DIR "/experiments/boards/mpic_resnet8.cost";

class ProfileProgramTest : public testing::Test {
 protected:
  ProfileProgramTest() { UseSmallSample(); }

  std::string Path(const std::string& name) const { return folder_.Path(name); }

  std::vector<std::string> Profile(const std::string& file) const {
    return {ProgramPath("bitpilot"),
            "profile",
            "--model",
            "resnet8",
            "--device",
            "model:" + kMpic,
            "--fast",
            "--bits",
            "2,8",
            "--quick",
            "--export",
            Path(file),
            "--json"};
  }
  static std::vector<std::string> With(std::vector<std::string> arguments,
                                       const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  StudyFolder folder_;
};

TEST_F(ProfileProgramTest, AProfileOfATableIsThatTable) {
  const ProgramResult profiled =
      RunProgram(With(Profile("a.json"), {"--export", Path("a.csv"), "--export", Path("a.npy")}));
  ASSERT_EQ(profiled.exit_code, 0) << profiled.err;
  const Json result = Json::parse(LinesOfType(profiled.out, "result").front());
  EXPECT_EQ(result["entries"], 2 + 9 * 4 + 1);
  EXPECT_LT(result["prediction_error_worst"], 1e-6);
  EXPECT_LE(result["prediction_error_median"], result["prediction_error_worst"]);
  EXPECT_EQ(result["source"], "MODEL:mpic-resnet8");
  EXPECT_FALSE(std::filesystem::exists(Path("a.json.unfinished")));
  EXPECT_TRUE(std::filesystem::exists(Path("a.csv")));
  EXPECT_TRUE(std::filesystem::exists(Path("a.npy")));

  const CostTable truth = ReadModelBoard(kMpic).value();
  const CostTable table = ReadModelBoard(Path("a.json")).value();
  for (const auto& [key, cost] : table.operations) {
    const auto& [name, weights, activations] = key;
    if (weights == 0) continue;
    const double true_ns = truth.operations.at(key).latency_ns;
    EXPECT_NEAR(cost.latency_ns, true_ns, 1e-3) << name << weights << activations;
  }

  // The table is a board: offline, and it says so.
  const ProgramResult evaluated =
      RunProgram({ProgramPath("bitpilot"), "evaluate", "--model", "resnet8", "--bits", "w2a8",
                  "--device", "model:" + Path("a.json"), "--fast", "--json"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  const Json line = Json::parse(LinesOfType(evaluated.out, "result").front());
  EXPECT_EQ(line["source"], "MODEL:resnet8-mpic-resnet8");
  EXPECT_EQ(result["isa"], nullptr) << "the model's kernels only check the outputs";
  EXPECT_THAT(ReadBytes(Path("a.csv")), testing::Not(HasSubstr("conv_")));
  const Topology topology = StandardTopology("resnet8").value();
  const double w2a8_ns =
      PredictCost(truth, topology, UniformAssignment(topology, 2, 8))->latency_ns;
  const double w8a8_ns =
      PredictCost(truth, topology, UniformAssignment(topology, 8, 8))->latency_ns;
  EXPECT_NEAR(line["latency_median_ns"].get<double>(), w2a8_ns, 1e-6 * w2a8_ns);
  EXPECT_NEAR(line["latency_ratio_int8"].get<double>(), w2a8_ns / w8a8_ns, 1e-6);
}

TEST_F(ProfileProgramTest, GoesOnAfterTheTerminalWasClosedAndOnlyOnTheSameBoard) {
  ASSERT_EQ(RunProgram(Profile("whole.json")).exit_code, 0);
  const std::string unfinished = Path("cut.json.unfinished");
  const ProgramResult cut = RunProgramUntil(Profile("cut.json"), SIGHUP,
                                            [&] { return std::filesystem::exists(unfinished); });
  ASSERT_NE(cut.exit_code, 0);
  EXPECT_THAT(cut.err, HasSubstr("goes on from there"));
  ASSERT_TRUE(std::filesystem::exists(unfinished));
  EXPECT_FALSE(std::filesystem::exists(Path("cut.json")));
  const std::string saved = ReadBytes(unfinished);

  std::vector<std::string> elsewhere = Profile("cut.json");
  *std::find(elsewhere.begin(), elsewhere.end(), "model:" + kMpic) = "local:scalar";
  elsewhere.erase(std::find(elsewhere.begin(), elsewhere.end(), "--fast"));
  const ProgramResult refused = RunProgram(elsewhere);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("their times cannot be in one table"));
  std::vector<std::string> otherwise = Profile("cut.json");
  *std::find(otherwise.begin(), otherwise.end(), "2,8") = "4,8";
  EXPECT_EQ(RunProgram(otherwise).exit_code, 2);
  EXPECT_EQ(ReadBytes(unfinished), saved);

  ASSERT_EQ(RunProgram(Profile("cut.json")).exit_code, 0);
  EXPECT_EQ(ReadBytes(Path("cut.json")), ReadBytes(Path("whole.json")));
  EXPECT_FALSE(std::filesystem::exists(unfinished));
}

TEST_F(ProfileProgramTest, LeavesAloneWhatAnotherProcessWrites) {
  const std::string unfinished = Path("a.json.unfinished");
  WriteBytes(unfinished, "of the other one");
  for (const std::string& flag : {std::string("a.json"), std::string("b.csv")}) {
    SCOPED_TRACE(flag);
    const FileLock other = ValueOrDie(FileLock::Acquire(Path(flag)));
    const ProgramResult refused = RunProgram(With(Profile("a.json"), {"--export", Path("b.csv")}));
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr(Path(flag) + ": is being written by process " +
                                       std::to_string(getpid())));
  }
  EXPECT_EQ(ReadBytes(unfinished), "of the other one");
  EXPECT_THAT(folder_.FileNames(), testing::ElementsAre("a.json.unfinished"));
}

TEST_F(ProfileProgramTest, RefusesBeforeItMeasures) {
  WriteBytes(Path("there.json"), "precious");
  const ProgramResult exists = RunProgram(Profile("there.json"));
  EXPECT_EQ(exists.exit_code, 2);
  EXPECT_THAT(exists.err, HasSubstr(Path("there.json") + " exists"));
  EXPECT_EQ(ReadBytes(Path("there.json")), "precious");

  const ProgramResult ending = RunProgram(Profile("lut.xlsx"));
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_THAT(ending.err, HasSubstr(".free-bits.json"));
  EXPECT_THAT(RunProgram(Profile("no/such/lut.json")).err, HasSubstr("there is no folder"));

  WriteBytes(Path("other.json.unfinished"), "not JSON");
  const ProgramResult damaged = RunProgram(Profile("other.json"));
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("remove it to begin anew"));

  const ProgramResult unknown = RunProgram({ProgramPath("bitpilot"), "profile", "--model", "lenet",
                                            "--export", Path("x.json"), "--json"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("resnet20"));
}

}  // namespace
}  // namespace bitpilot
