// bitpilot train, as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

class TrainProgramTest : public testing::Test {
 protected:
  TrainProgramTest() { UseSmallSample(); }

  std::vector<std::string> Train(const std::string& output,
                                 const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {
        ProgramPath("bitpilot"), "train",    "--model", "resnet8",      "--bits", "w4a4", "-o",
        folder_.Path(output),    "--epochs", "4",       "--batch-size", "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  // Stops it when it has trained some mini-batches.
  void StopEarly(const std::string& output) const {
    const std::string said = folder_.Path("said");
    std::vector<std::string> arguments = {"/bin/sh", "-c", "exec \"$@\" 2> \"$0\"", said};
    const std::vector<std::string> train = Train(output, {"--train-threads", "2"});
    arguments.insert(arguments.end(), train.begin(), train.end());
    const ProgramResult stopped = RunProgramUntil(
        arguments, SIGINT, [&] { return ReadBytes(said).find("  batch ") != std::string::npos; });
    ASSERT_EQ(stopped.exit_code, 1) << ReadBytes(said);
    ASSERT_THAT(ReadBytes(said), HasSubstr("repeat the command with --resume"));
  }

  StudyFolder folder_;
};

TEST_F(TrainProgramTest, GoesOnWithTheThreadsThatItBeganWith) {
  ASSERT_NO_FATAL_FAILURE(StopEarly("a.safetensors"));
  const ProgramResult resumed = RunProgram(Train("a.safetensors", {"--resume"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("goes on with 2 training threads, as it began"));
  const ProgramResult other =
      RunProgram(Train("a.safetensors", {"--resume", "--train-threads", "1"}));
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_THAT(other.err, HasSubstr("goes on with 1 training thread, not with the 2"));
}

}  // namespace
}  // namespace bitpilot
