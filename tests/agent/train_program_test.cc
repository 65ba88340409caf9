// `bitpilot train` as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Json = nlohmann::json;

class TrainProgramTest : public testing::Test {
 protected:
  TrainProgramTest() { UseSmallSample(); }

  std::vector<std::string> Command(const std::string& output,
                                   const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        ProgramPath("bitpilot"), "train", "--model", "resnet8", "--bits", "w2a4", "-o",
        folder_.Path(output)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Two small mini-batches.
  ProgramResult Train(const std::string& output, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"--batches",       "2", "--batch-size", "8",
                                      "--train-threads", "1", "--json"};
    flags.insert(flags.end(), more.begin(), more.end());
    return RunProgram(Command(output, flags));
  }

  // Long enough to be stopped.
  std::vector<std::string> LongCommand(const std::string& output,
                                       const std::vector<std::string>& more) const {
    std::vector<std::string> flags = {"--epochs", "4", "--batch-size", "16"};
    flags.insert(flags.end(), more.begin(), more.end());
    return Command(output, flags);
  }

  void StopEarly(const std::string& output) const {
    const std::string said = folder_.Path("said");
    std::vector<std::string> arguments = {"/bin/sh", "-c", "exec \"$@\" 2> \"$0\"", said};
    const std::vector<std::string> train = LongCommand(output, {"--train-threads", "2"});
    arguments.insert(arguments.end(), train.begin(), train.end());
    const ProgramResult stopped = RunProgramUntil(
        arguments, SIGINT, [&] { return ReadBytes(said).find("  batch ") != std::string::npos; });
    ASSERT_EQ(stopped.exit_code, 1) << ReadBytes(said);
    ASSERT_THAT(ReadBytes(said), HasSubstr("repeat the command with --resume"));
  }

  StudyFolder folder_;
};

TEST_F(TrainProgramTest, TrainsAsManyMiniBatchesAsItIsTold) {
  const ProgramResult trained = Train("a.safetensors");
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Json result = Json::parse(LinesOfType(trained.out, "result").front());
  EXPECT_EQ(result["batches"], 2);
  const ProgramResult both = Train("b.safetensors", {"--epochs", "1"});
  EXPECT_EQ(both.exit_code, 2) << "--batches and --epochs say the same";
  EXPECT_THAT(both.err, HasSubstr("--epochs"));
}

TEST_F(TrainProgramTest, DistilsFromTheTeacherThatIsNamed) {
  ASSERT_EQ(Train("plain.safetensors").exit_code, 0);
  // The float network itself teaches where nobody is named.
  ASSERT_EQ(Train("same.safetensors", {"--teacher", "resnet8:shipped"}).exit_code, 0);
  EXPECT_EQ(ReadBytes(folder_.Path("same.safetensors")),
            ReadBytes(folder_.Path("plain.safetensors")));
  const std::string other = "resnet8:" + folder_.Path("plain.safetensors");
  const ProgramResult taught = Train("taught.safetensors", {"--teacher", other});
  ASSERT_EQ(taught.exit_code, 0) << taught.err;
  EXPECT_NE(ReadBytes(folder_.Path("taught.safetensors")),
            ReadBytes(folder_.Path("plain.safetensors")));
  const ProgramResult neither = Train("x.safetensors", {"--teacher", other, "--no-distill"});
  EXPECT_EQ(neither.exit_code, 2);
  EXPECT_THAT(neither.err, HasSubstr("--no-distill"));
}

TEST_F(TrainProgramTest, GoesOnWithTheThreadsThatItBeganWith) {
  ASSERT_NO_FATAL_FAILURE(StopEarly("a.safetensors"));
  const ProgramResult resumed = RunProgram(LongCommand("a.safetensors", {"--resume"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("goes on with 2 training threads, as it began"));
  const ProgramResult other =
      RunProgram(LongCommand("a.safetensors", {"--resume", "--train-threads", "1"}));
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("goes on with 1 training thread, not with the 2"));
}

// The state would go on by any flags, and the weights would be those of no training.
TEST_F(TrainProgramTest, GoesOnOnlyAsItBegan) {
  ASSERT_NO_FATAL_FAILURE(StopEarly("a.safetensors"));
  const auto refused = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> all = {"--resume"};
    all.insert(all.end(), flags.begin(), flags.end());
    const ProgramResult resumed = RunProgram(Command("a.safetensors", all));
    EXPECT_NE(resumed.exit_code, 0);
    return resumed.err;
  };
  EXPECT_THAT(refused({"--epochs", "4"}), HasSubstr("--batch-size was 16, now it is 128"));
  EXPECT_THAT(refused({"--epochs", "8", "--batch-size", "16"}), HasSubstr("--batches, --epochs"));
  EXPECT_THAT(refused({"--epochs", "4", "--batch-size", "16", "--learning-rate", "0.001"}),
              HasSubstr("--learning-rate was 0.0002, now it is 0.001"));
  EXPECT_THAT(refused({"--epochs", "4", "--batch-size", "16", "--no-distill"}),
              HasSubstr("now it is none"));
  EXPECT_THAT(refused({"--epochs", "4", "--batch-size", "16", "--teacher", "resnet8:shipped"}),
              HasSubstr("was the float network, now it is resnet8, SHA-256 "));
  EXPECT_EQ(RunProgram(LongCommand("a.safetensors", {"--resume"})).exit_code, 0);
}

}  // namespace
}  // namespace bitpilot
