// Flags and small files are checked before LibTorch loads: by the program that users start, which
// here has no bitpilot-agent beside it. What it refuses nobody else has read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/model/bit_spec.h"
#include "kernels/base/file_io.h"
#include "kernels/base/network_file.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/text_file.h"
#include "tests/agent/program.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;

// A pipe that holds `text` and then ends, as a shell's `<(command)` does.
class Pipe {
 public:
  explicit Pipe(const std::string& text) {
    EXPECT_EQ(pipe(ends_), 0);
    EXPECT_LT(text.size(), 65'536U) << "does not fit in a pipe";
    EXPECT_EQ(WriteAll(ends_[1], text), 0);
    close(ends_[1]);
  }
  ~Pipe() { close(ends_[0]); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  std::string path() const { return "/dev/fd/" + std::to_string(ends_[0]); }
  // What nobody has read.
  std::string Rest() const {
    std::string rest(65'536, '\0');
    const ssize_t count = read(ends_[0], rest.data(), rest.size());
    rest.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return rest;
  }

 private:
  int ends_[2] = {-1, -1};
};

class EarlyChecksProgramTest : public testing::Test {
 protected:
  EarlyChecksProgramTest() {
    std::filesystem::copy_file(ProgramPath("bitpilot"), folder_ / "bitpilot");
    std::ofstream(folder_ / "bad.toml") << "keys = \n";
    std::ofstream(folder_ / "bad.json") << "{}";
    std::ofstream(folder_ / "bad.bpnet") << "{}";
    const Topology other = StandardTopology("mobilenet-v1-025").value();
    const Network network = RandomNetwork(other, UniformAssignment(other, 8, 8), 1);
    EXPECT_TRUE(WriteNetworkFile(folder_ / "other.bpnet", network).ok());
  }

  ProgramResult Run(Arguments arguments) const {
    arguments.insert(arguments.begin(), folder_ / "bitpilot");
    return RunProgram(arguments);
  }

  // Runs `arguments` and then `more`, and expects `exit_code` with `message`.
  void ExpectRefused(Arguments arguments, const Arguments& more, int exit_code,
                     const std::string& message) const {
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = Run(arguments);
    SCOPED_TRACE(testing::PrintToString(arguments));
    EXPECT_EQ(result.exit_code, exit_code);
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_THAT(result.err, Not(HasSubstr("bitpilot-agent")));
  }

  const TemporaryFolder folder_;
};

TEST_F(EarlyChecksProgramTest, RefusesWhatIsWrongBeforeTheAgentStarts) {
  const Arguments evaluate = {"evaluate", "--model", "resnet8", "--data", "nowhere"};
  ExpectRefused(evaluate, {"--bits", "w9a9"}, 2, "--bits w9a9");
  ExpectRefused(evaluate, {"--bits", folder_ / "bad.json"}, 1, "bad.json: expected");
  ExpectRefused(evaluate, {"--bits", "w4a4", "--fleet", folder_ / "bad.toml"}, 1, "bad.toml:");
  ExpectRefused(evaluate, {"--bits", "w4a4", "--fleet", folder_ / "none.toml"}, 1, "none.toml");
  ExpectRefused(evaluate, {"--bits", "w4a4", "--device", "model:nosuch"}, 2, "mpic_resnet8");
  ExpectRefused(evaluate,
                {"--bits", "w4a4", "--device", "local", "--compare", folder_ / "bad.json"}, 1,
                "bad.json");
  ExpectRefused(evaluate, {"--bits", "w4a4", "--export", folder_ / "none/x"}, 1, "--export");
  const Arguments versus = {"evaluate", "--model", "resnet8",  "--data", "nowhere",
                            "--bits",   "w4a4",    "--device", "local"};
  ExpectRefused(evaluate, {"--bits", "w4a4", "--versus", "w8a8"}, 2, "--versus needs --bits and");
  ExpectRefused(evaluate, {"--device", "local", "--versus", "w8a8"}, 2, "--versus needs --bits");
  ExpectRefused(evaluate, {"--bits", "w4a4", "--device", "local", "--audit"}, 2, "--versus");
  ExpectRefused(evaluate, {"--bits", "w4a4", "--device", "model:mpic_resnet8", "--versus", "w8a8"},
                2, "--versus needs a board that measures");
  ExpectRefused(versus, {"--versus", "w9a9"}, 2, "--versus w9a9");
  ExpectRefused(versus, {"--versus", folder_ / "bad.json"}, 1, "bad.json: expected");
  ExpectRefused(versus, {"--versus", folder_ / "bad.bpnet"}, 1, "--versus");
  ExpectRefused(versus, {"--versus", folder_ / "none.bpnet"}, 1, "none.bpnet");
  ExpectRefused(versus, {"--versus", folder_ / "other.bpnet"}, 2, "of different tasks");
  ExpectRefused(versus, {"--versus", "w8a8", "--compare", folder_ / "bad.json"}, 2, "--compare");
  ExpectRefused(evaluate, {"--integer"}, 2, "need --bits");
  ExpectRefused(evaluate, {}, 1, "--data");

  const Arguments train = {"train", "--model", "resnet8", "--data", "nowhere", "-o", folder_ / "x"};
  ExpectRefused(train, {"--bits", "w4"}, 2, "--bits w4");
  ExpectRefused(train, {"--bits", "w4a4", "--weights", "none.safetensors"}, 1, "--weights");
  ExpectRefused(train, {"--bits", "w4a4"}, 1, "--data");
  ExpectRefused({"train", "--model", "resnet8", "-o", folder_ / "x"},
                {"--bits", "w4a4", "--resume"}, 1, "--resume");

  const Arguments profile = {"profile", "--export", folder_ / "x.json"};
  ExpectRefused(profile, {"--model", "lenet"}, 2, "--model");
  ExpectRefused(profile, {"--model", "resnet8", "--bits", "9"}, 2, "--bits");
  ExpectRefused(profile, {"--model", "resnet8", "--fleet", folder_ / "bad.toml"}, 1, "bad.toml:");
  ExpectRefused(profile, {"--from", folder_ / "bad.json"}, 1, "bad.json");

  const Arguments search = {"search", "--study", folder_ / "a.db", "--data", "nowhere"};
  ExpectRefused(search, {"--policy", "foo"}, 2, "--policy");
  ExpectRefused(search, {"--policy-options", "{\"foo\":1}"}, 2, "--policy-options");
  ExpectRefused(search, {"--model", "foo"}, 2, "--model");
  ExpectRefused(search, {"--teacher", "foo:bar"}, 2, "--teacher");
  ExpectRefused(search, {"--max-size", "1"}, 2, "--max-size");
  ExpectRefused(search, {"--device", "model:nosuch"}, 2, "mpic_resnet8");
  ExpectRefused(search, {"--fleet", folder_ / "bad.toml"}, 1, "bad.toml:");
  ExpectRefused(search, {"--weights", "none.safetensors"}, 1, "--weights");
  ExpectRefused(search, {}, 1, "--data");
  ExpectRefused({"search", "--study", folder_ / "a.db", "--resume"}, {"--seed", "2"}, 2, "--seed");
  ExpectRefused({"search", "--study", folder_ / "a.db", "--resume"}, {}, 1, "no such study");
  ExpectRefused({"search", "--study", folder_ / "bad.json"}, {}, 2, "exists");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.db"));

  ExpectRefused({"fit-energy", "none.db", "-o", "x.cost"}, {}, 1, "none.db");
  ExpectRefused({"report", "none.db", "-o", folder_ / "x.html"}, {}, 1, "none.db");
  ExpectRefused({"replay", "none.db"}, {}, 1, "none.db");
  ExpectRefused({"log", "verify", "none.db"}, {}, 1, "none.db");
}

// The same program with nothing wrong: then it needs the agent. Else the test above shows nothing.
TEST_F(EarlyChecksProgramTest, GoesOnAsTheAgentWhereNothingIsWrong) {
  for (const Arguments& arguments :
       {Arguments{"evaluate", "--model", "resnet8", "--bits", "w4a4"},
        {"train", "--model", "resnet8", "--bits", "w4a4", "-o", folder_ / "x"},
        {"profile", "--model", "resnet8", "--device", "model:mpic_resnet8", "--bits", "2,4,8",
         "--export", folder_ / "x.json"},
        {"search", "--study", folder_ / "a.db", "--device", "model:mpic_resnet8"}}) {
    const ProgramResult result = Run(arguments);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("bitpilot-agent")) << testing::PrintToString(arguments);
    // Those that tell of their progress begin to at once.
    EXPECT_EQ(result.err.starts_with("loading LibTorch\n"), arguments.front() != "evaluate")
        << result.err;
  }
}

TEST_F(EarlyChecksProgramTest, LeavesToTheAgentWhatCanBeReadOnlyOnce) {
  const Arguments evaluate = {"evaluate", "--model", "resnet8"};
  const Pipe pipe("odd");
  for (const auto& [command, flags] : std::vector<std::pair<Arguments, Arguments>>{
           {evaluate, {"--bits", pipe.path()}},
           {evaluate, {"--bits", "w4a4", "--device", "local", "--compare", pipe.path()}},
           {evaluate, {"--bits", "w4a4", "--device", "local", "--versus", pipe.path()}},
           {evaluate, {"--bits", "w4a4", "--fleet", pipe.path()}},
           {evaluate, {"--bits", "w4a4", "--device", "model:" + pipe.path()}},
           {{"train", "--model", "resnet8", "-o", folder_ / "x"}, {"--bits", pipe.path()}},
           {{"profile", "--export", folder_ / "x.json"}, {"--from", pipe.path()}},
           {{"profile", "--export", folder_ / "x.json"},
            {"--model", "resnet8", "--fleet", pipe.path()}},
           {{"profile", "--export", folder_ / "x.json"},
            {"--model", "resnet8", "--device", "model:" + pipe.path()}},
           {{"search", "--study", folder_ / "a.db"}, {"--fleet", pipe.path()}}}) {
    Arguments arguments = command;
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const ProgramResult result = Run(arguments);
    EXPECT_THAT(result.err, HasSubstr("bitpilot-agent")) << testing::PrintToString(arguments);
  }
  EXPECT_EQ(pipe.Rest(), "odd");
}

// The whole program, with its agent: what comes next is what is wrong.
TEST_F(EarlyChecksProgramTest, ReadsPipesOnceAndGoesOn) {
  const Topology topology = StandardTopology("resnet8").value();
  const Pipe bits(AssignmentToJson(topology, UniformAssignment(topology, 4, 4)).dump());
  const Pipe fleet(
      "keys = \"/nowhere/keys\"\n[[board]]\nname = \"a\"\nendpoint = "
      "\"tcp://127.0.0.1:1\"\npublic_key = \"" +
      std::string(40, 'k') + "\"\n");
  const Result<std::string> shipped =
      ReadTextFile(BITPILOT_SOURCE_DIR "/experiments/boards/mpic_resnet8.cost");
  ASSERT_TRUE(shipped.ok()) << shipped.status().message();
  const Pipe table(*shipped);
  const Arguments evaluate = {ProgramPath("bitpilot"), "evaluate", "--model", "resnet8", "--data",
                              folder_ / "bad.json"};
  for (const auto& [flags, message] : std::vector<std::pair<Arguments, std::string>>{
           {{"--bits", bits.path()}, "--data"},
           {{"--bits", "w4a4", "--fleet", fleet.path()}, "/nowhere/keys"},
           {{"--bits", "w4a4", "--device", "model:" + table.path(), "--fast"}, "--data"}}) {
    Arguments arguments = evaluate;
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << testing::PrintToString(arguments);
  }
}

// Their hashes are in the study, and a resume reads them again.
TEST_F(EarlyChecksProgramTest, RefusesPipesOfWhatIsReadSeveralTimes) {
  const Pipe pipe("odd");
  const Arguments search = {"search", "--study", folder_ / "a.db"};
  ExpectRefused(search, {"--device", "model:" + pipe.path()}, 1, "--device: " + pipe.path());
  ExpectRefused(search, {"--weights", pipe.path()}, 1, "read only once");
  ExpectRefused(search, {"--teacher", "resnet20:" + pipe.path()}, 1, "--teacher: ");
  ExpectRefused({"evaluate", "--model", "resnet8"}, {"--weights", pipe.path()}, 1,
                "read only once");
}

TEST_F(EarlyChecksProgramTest, HelpNeedsNoAgentAndListsAllCommands) {
  const ProgramResult help = Run({"--help"});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  for (const char* command : {"search", "evaluate", "profile", "fit-energy", "train", "report",
                              "replay", "log", "fleet"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + command + " "));
  }
  EXPECT_EQ(help.out, RunProgram({ProgramPath("bitpilot-agent"), "--help"}).out);
  EXPECT_EQ(Run({"fly"}).exit_code, 2);
}

}  // namespace
}  // namespace bitpilot
