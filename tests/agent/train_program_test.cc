// `bitpilot train` as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/base/file_lock.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;
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
    const ProgramResult stopped =
        Watch(LongCommand(output, {"--train-threads", "2"}), SIGINT,
              [](const std::string& said) { return said.find("  batch ") != std::string::npos; });
    ASSERT_EQ(stopped.exit_code, 1) << stopped.err;
    ASSERT_THAT(stopped.err, HasSubstr("repeat the command with --resume"));
  }

  // Runs `arguments` through a shell that appends what they say on standard error to a file, and
  // writes its process id, which is theirs, to another; until `signal_now`.
  ProgramResult Watch(const std::vector<std::string>& arguments, int signal,
                      const std::function<bool(const std::string& said)>& signal_now) const {
    std::vector<std::string> shell = {
        "/bin/sh", "-c", "echo $$ > \"$0.pid\" && exec \"$@\" 2> \"$0\"", folder_.Path("said")};
    shell.insert(shell.end(), arguments.begin(), arguments.end());
    std::filesystem::remove(folder_.Path("said"));
    ProgramResult result =
        RunProgramUntil(shell, signal, [&] { return signal_now(ReadBytes(folder_.Path("said"))); });
    result.err = ReadBytes(folder_.Path("said"));
    return result;
  }

  StudyFolder folder_;
};

// Some twenty small mini-batches, enough to be met while they train.
const std::vector<std::string> kSome = {"--batches",       "24", "--batch-size", "8",
                                        "--train-threads", "1"};

std::vector<std::string> With(std::vector<std::string> flags,
                              const std::vector<std::string>& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

// Files that the process in `pid_file` writes may have so many bytes from now on.
void LimitFiles(const std::string& pid_file, rlim_t largest_bytes) {
  const pid_t pid = std::stoi(ReadBytes(pid_file));
  rlimit limit{};
  ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, nullptr, &limit), 0);
  limit.rlim_cur = largest_bytes;
  ASSERT_EQ(prlimit(pid, RLIMIT_FSIZE, &limit, nullptr), 0);
}

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
  const std::string checkpoint = folder_.Path("a.safetensors.ckpt");
  const std::string saved = ReadBytes(checkpoint);
  const ProgramResult resumed = RunProgram(LongCommand("a.safetensors", {"--resume"}));
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("goes on with 2 training threads, as it began"));
  // From the checkpoint as it was.
  std::filesystem::remove(folder_.Path("a.safetensors"));
  WriteBytes(checkpoint, saved);
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

TEST_F(TrainProgramTest, LosesNothingToAClosedTerminalAndNextToNothingToAKill) {
  ASSERT_EQ(RunProgram(Command("whole", kSome)).exit_code, 0);
  const std::vector<std::string> saving = With(kSome, {"--checkpoint-seconds", "0"});
  const ProgramResult closed = Watch(Command("cut", saving), SIGHUP, [](const std::string& said) {
    return said.find("  batch 2/") != std::string::npos;
  });
  ASSERT_EQ(closed.exit_code, 1) << closed.err;
  EXPECT_THAT(closed.err, HasSubstr("repeat the command with --resume"));
  ASSERT_FALSE(std::filesystem::exists(folder_.Path("cut")));

  const ProgramResult killed =
      Watch(Command("cut", With(saving, {"--resume"})), SIGKILL, [](const std::string& said) {
        const std::size_t first = said.find("  batch ");
        return first != std::string::npos && said.find("  batch ", first + 1) != std::string::npos;
      });
  ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << killed.err;
  const std::size_t begin =
      killed.err.find("goes on after ") + std::string("goes on after ").size();
  const int before_kill = std::stoi(killed.err.substr(begin));
  EXPECT_GE(before_kill, 2);

  const ProgramResult resumed = RunProgram(Command("cut", With(kSome, {"--resume"})));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  const int after_kill = std::stoi(resumed.err.substr(resumed.err.find("goes on after ") +
                                                      std::string("goes on after ").size()));
  EXPECT_GE(after_kill, before_kill + 2) << "each mini-batch was saved before it was told";
  EXPECT_EQ(ReadBytes(folder_.Path("cut")), ReadBytes(folder_.Path("whole")));
  EXPECT_THAT(folder_.FileNames(), UnorderedElementsAre("cut", "whole", "said", "said.pid"));
}

TEST_F(TrainProgramTest, WaitsForRoomOnAFullDiskInsteadOfLosingWhatItTrained) {
  const std::string pid_file = folder_.Path("said.pid");
  bool is_full = false;
  bool is_free = false;
  const ProgramResult trained =
      Watch(Command("a", With(kSome, {"--checkpoint-seconds", "0"})), SIGKILL,
            [&](const std::string& said) {
              // After the first checkpoint. Less than the weights take, more than it says.
              if (!is_full && std::filesystem::exists(folder_.Path("a.ckpt"))) {
                LimitFiles(pid_file, 30'000);
                is_full = true;
              }
              if (is_full && !is_free && said.find("waits until it can") != std::string::npos) {
                LimitFiles(pid_file, RLIM_INFINITY);
                is_free = true;
              }
              return false;
            });
  EXPECT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("a.ckpt: cannot write"));
  EXPECT_THAT(trained.err, HasSubstr("it trains on"));
  EXPECT_TRUE(is_free) << trained.err;
  EXPECT_GT(std::filesystem::file_size(folder_.Path("a")), 30'000U);
  EXPECT_FALSE(std::filesystem::exists(folder_.Path("a.ckpt")));
}

TEST_F(TrainProgramTest, ReplacesNothing) {
  const auto refused = [&](const std::vector<std::string>& flags, int exit_code) {
    const ProgramResult result = RunProgram(Command("a", With(kSome, flags)));
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    return result.err;
  };
  EXPECT_THAT(refused({"--resume"}, 1), HasSubstr("there is no unfinished training"));
  WriteBytes(folder_.Path("a.ckpt"), "hours");
  EXPECT_THAT(refused({}, 2),
              HasSubstr("go on with --resume, or remove " + folder_.Path("a.ckpt")));
  {
    const FileLock other = ValueOrDie(FileLock::Acquire(folder_.Path("a")));
    EXPECT_THAT(refused({}, 1), HasSubstr(folder_.Path("a") + ": is being written by process "));
    EXPECT_THAT(refused({"--resume"}, 1), HasSubstr("is being written by process "));
  }
  WriteBytes(folder_.Path("a"), "weights");
  EXPECT_THAT(refused({}, 2), HasSubstr("exists, and an older checkpoint beside it"));
  EXPECT_THAT(refused({"--resume"}, 2), HasSubstr("exists"));
  EXPECT_EQ(ReadBytes(folder_.Path("a")) + ReadBytes(folder_.Path("a.ckpt")), "weightshours");
}

}  // namespace
}  // namespace bitpilot
