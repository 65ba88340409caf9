// Flags and small files are checked before LibTorch loads: by the program that users start, which
// here has no bitpilot-agent beside it. What it refuses nobody else has read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/agent/program.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;
using Arguments = std::vector<std::string>;

class EarlyChecksProgramTest : public testing::Test {
 protected:
  EarlyChecksProgramTest() {
    std::filesystem::copy_file(ProgramPath("bitpilot"), folder_ / "bitpilot");
    std::ofstream(folder_ / "bad.toml") << "keys = \n";
    std::ofstream(folder_ / "bad.json") << "{}";
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
  }
}

TEST_F(EarlyChecksProgramTest, HelpNeedsNoAgentAndListsAllCommands) {
  const ProgramResult help = Run({"--help"});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  for (const char* command : {"search", "evaluate", "profile", "fit-energy", "train", "report",
                              "replay", "log", "fleet"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + command + " "));
  }
  EXPECT_EQ(help.out, RunProgram({ProgramPath("bitpilot-agent"), "--help"}).out);
  EXPECT_EQ(Run({"search", "--help"}).exit_code, 0);
  EXPECT_EQ(Run({"fly"}).exit_code, 2);
}

}  // namespace
}  // namespace bitpilot
