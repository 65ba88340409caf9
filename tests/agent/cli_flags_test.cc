// Every command's flags, taken from the commands themselves: what holds for one holds for all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/cli/all_commands.h"
#include "agent/cli/program.h"
#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

// The commands without commands below them, e.g. "search" and "fleet keygen".
void CollectLeaves(CLI::App& app, const std::vector<std::string>& names,
                   std::vector<std::pair<std::vector<std::string>, CLI::App*>>& leaves) {
  const std::vector<CLI::App*> below = app.get_subcommands([](CLI::App*) { return true; });
  if (below.empty()) leaves.emplace_back(names, &app);
  for (CLI::App* command : below) {
    std::vector<std::string> longer = names;
    longer.push_back(command->get_name());
    CollectLeaves(*command, longer, leaves);
  }
}

struct Ending {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs a command in this process.
Ending RunCommand(std::vector<std::string> arguments) {
  CLI::App app;
  Ending ending;
  AddAllCommands(app, ending.exit_code);
  std::reverse(arguments.begin(), arguments.end());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  std::string thrown;
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    ending.exit_code = kExitUsage;
    PrintErrorLine(InvalidArgument(error.what()));
  } catch (const std::exception& error) {
    thrown = error.what();
  }
  ending.out = testing::internal::GetCapturedStdout();
  ending.err = testing::internal::GetCapturedStderr();
  EXPECT_EQ(thrown, "");
  return ending;
}

// What bitpilot-agent prints, which is nothing but this.
std::string AgentOutput(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "bitpilot-agent");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  EXPECT_EQ(RunProgram(static_cast<int>(arguments.size()), argv.data(), AddAllCommands), kExitDone);
  return testing::internal::GetCapturedStdout();
}

class CliFlagsTest : public testing::Test {
 protected:
  CliFlagsTest() : before_(std::filesystem::current_path()) {
    UseSmallSample();
    std::filesystem::current_path(folder_.Path(""));
    AddAllCommands(app_, exit_code_);
    CollectLeaves(app_, {}, leaves_);
  }
  ~CliFlagsTest() override { std::filesystem::current_path(before_); }

  StudyFolder folder_;
  std::filesystem::path before_;
  int exit_code_ = 0;
  CLI::App app_;
  std::vector<std::pair<std::vector<std::string>, CLI::App*>> leaves_;
};

TEST_F(CliFlagsTest, EveryNumberIsFiniteWholeTextAndInsideItsRange) {
  int num_flags = 0;
  for (const auto& [names, command] : leaves_) {
    for (CLI::Option* option : command->get_options()) {
      const std::string type = option->get_type_name();
      if (!type.starts_with("INT") && !type.starts_with("UINT") && !type.starts_with("FLOAT")) {
        continue;
      }
      ++num_flags;
      for (const char* text : {"inf", "-inf", "nan", "1e999", "0.7xx", "1x", "0x10", "-1", "x",
                               "99999999999999999999999"}) {
        option->clear();
        option->add_result(text);
        if (type.starts_with("FLOAT") && text == std::string("99999999999999999999999") &&
            type.find("..") == std::string::npos) {
          continue;  // a number like others
        }
        if (text == std::string("-1") && type.find("-9..9") != std::string::npos) continue;
        EXPECT_THROW(option->run_callback(), CLI::ParseError)
            << names.front() << " " << option->get_name() << " " << text;
      }
    }
  }
  EXPECT_GE(num_flags, 15);
}

// Whoever asks for a kind of lease, or a priority, means a board that others use, too.
TEST_F(CliFlagsTest, TakesKindsAndPrioritiesOfLeasesForBoardsOfAFleetOnly) {
  const std::vector<std::vector<std::string>> commands{
      {"search", "--study", "a.db", "--model", "resnet8", "--data", "sample"},
      {"evaluate", "--model", "resnet8", "--bits", "w8a8", "--device", "local"},
      {"profile", "--model", "resnet8", "--export", "a.json"}};
  for (const std::vector<std::string>& command : commands) {
    for (const char* const lease : {"--lease=job", "--lease=reservation", "--priority=-9"}) {
      std::vector<std::string> arguments = command;
      arguments.emplace_back(lease);
      const Ending ending = RunCommand(arguments);
      EXPECT_EQ(ending.exit_code, kExitUsage) << command.front() << " " << lease;
      EXPECT_THAT(ending.err, HasSubstr("--lease and --priority are for boards of a fleet file"))
          << command.front() << " " << lease;
    }
    for (const char* const wrong : {"--lease=mine", "--priority=10", "--priority=-10"}) {
      std::vector<std::string> arguments = command;
      arguments.emplace_back(wrong);
      EXPECT_EQ(RunCommand(arguments).exit_code, kExitUsage) << command.front() << " " << wrong;
    }
  }
}

TEST_F(CliFlagsTest, RefusesTheSeedThatIsOneTooLarge) {
  const Ending ending = RunCommand({"search", "--study", "a.db", "--seed", "18446744073709551616"});
  EXPECT_EQ(ending.exit_code, kExitUsage);
  EXPECT_THAT(ending.out, HasSubstr("--seed: expected a whole number"));
}

TEST_F(CliFlagsTest, RefusesWidthsThatContradictEachOther) {
  for (const char* flag : {"--weight-widths", "--activation-widths"}) {
    const Ending ending = RunCommand({"search", "--study", "a.db", "--device", "model:mpic_resnet8",
                                      "--widths", "8", flag, "4"});
    EXPECT_EQ(ending.exit_code, kExitUsage);
    EXPECT_THAT(ending.out, HasSubstr(flag));
  }
}

TEST_F(CliFlagsTest, RefusesRatiosThatAreNone) {
  for (const char* text : {"0.7xx", "infx", "inf", "nan", "0x", "x", "-1x", "1e999"}) {
    const Ending ending =
        RunCommand({"search", "--study", "a.db", "--max-latency", text, "--json"});
    EXPECT_EQ(ending.exit_code, kExitUsage) << text;
    EXPECT_THAT(ending.out, HasSubstr("--max-latency takes a ratio")) << text;
  }
}

TEST_F(CliFlagsTest, TakesUnknownNamesForWrongUsage) {
  const std::vector<std::vector<std::string>> cases = {
      {"search", "--study", "a.db", "--policy", "foo"},
      {"search", "--study", "a.db", "--model", "foo"},
      {"search", "--study", "a.db", "--device", "foo"},
      {"search", "--study", "a.db", "--device", "local:foo"},
      {"search", "--study", "a.db", "--device", "model:nosuch"},
      {"search", "--study", "a.db", "--energy", "foo"},
      {"evaluate", "--model", "foo"},
      {"evaluate", "--model", "resnet8", "--bits", "foo"},
      {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--device", "model:nosuch"},
      {"train", "--model", "foo", "--bits", "w4a4", "-o", "x.safetensors"},
      {"train", "--model", "resnet8", "--bits", "foo", "-o", "x.safetensors"},
      {"train", "--model", "resnet8", "--bits", "w4a4", "--teacher", "foo", "-o", "x.safetensors"},
      {"train", "--model", "resnet8", "--bits", "w4a4", "--teacher", "foo:shipped", "-o",
       "x.safetensors"},
      {"profile", "--model", "foo", "--export", "x.json"},
      {"profile", "--model", "resnet8", "--device", "model:nosuch", "--export", "x.json"}};
  for (const std::vector<std::string>& arguments : cases) {
    const Ending ending = RunCommand(arguments);
    EXPECT_EQ(ending.exit_code, kExitUsage) << testing::PrintToString(arguments) << ending.err;
    // Found before anything is loaded.
    EXPECT_THAT(ending.err, Not(HasSubstr("loading"))) << testing::PrintToString(arguments);
  }
  EXPECT_FALSE(std::filesystem::exists("a.db"));
}

// One rule for all files that a command line names: it may be meant as written, so it is no wrong
// usage, whether they are not there or hold something else.
TEST_F(CliFlagsTest, FailsAtFilesThatAreNotThereOrHoldSomethingElse) {
  WriteBytes("odd", "odd");
  std::filesystem::create_directory("short");
  WriteBytes("short/test_batch.bin", std::string(std::size_t{3000} * 3073, '\0'));
  std::filesystem::create_directory("folder");
  for (const char* file : {"none.odd", "odd", "folder"}) {
    const std::vector<std::vector<std::string>> cases = {
        {"search", "--study", "a.db", "--device", std::string("model:./") + file},
        {"search", "--study", "a.db", "--fleet", file},
        {"search", "--study", "a.db", "--device", "model:mpic_resnet8", "--weights", file},
        {"search", "--study", "a.db", "--device", "model:mpic_resnet8", "--fast", "--widths",
         "2,4,8", "--data", file},
        {"evaluate", "--model", "resnet8", "--weights", file},
        {"evaluate", "--model", "resnet8", "--data", file},
        {"evaluate", "--model", "resnet8", "--bits", file},
        {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--calibration", file},
        {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--fleet", file},
        {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--device", "local", "--versus", file},
        {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--device", "model:mpic_resnet8",
         "--compare", file},
        {"train", "--model", "resnet8", "--bits", file, "-o", "x"},
        {"train", "--model", "resnet8", "--bits", "w4a4", "--data", file, "-o", "x"},
        {"train", "--model", "resnet8", "--bits", "w4a4", "--weights", file, "-o", "x"},
        {"profile", "--from", file, "--export", "x.json"},
        {"profile", "--model", "resnet8", "--fleet", file, "--export", "x.json"},
        {"fit-energy", file, "-o", "x.cost"},
        {"report", file, "-o", "x.html"},
        {"replay", file},
        {"log", "verify", file}};
    for (const std::vector<std::string>& arguments : cases) {
      const Ending ending = RunCommand(arguments);
      EXPECT_EQ(ending.exit_code, kExitFailed)
          << testing::PrintToString(arguments) << ending.out << ending.err;
    }
  }
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"evaluate", "--model", "resnet8", "--data", "short"},
        {"train", "--model", "resnet8", "--bits", "w4a4", "--data", "short", "-o", "x"}}) {
    const Ending ending = RunCommand(arguments);
    EXPECT_EQ(ending.exit_code, kExitFailed);
    EXPECT_THAT(ending.err, HasSubstr("expected more than 3000 records"));
  }
}

// CLI11 prints the flags that one excludes in the order of their addresses.
std::string WithExcludedInOrder(const std::string& help) {
  std::istringstream lines(help);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t names = line.find("Excludes: ");
    if (names != std::string::npos) {
      std::istringstream words(line.substr(names));
      std::vector<std::string> sorted;
      for (std::string word; words >> word;) sorted.push_back(word);
      std::sort(sorted.begin(), sorted.end());
      line.resize(names);
      for (const std::string& word : sorted) line += word + " ";
    }
    text += line + "\n";
  }
  return text;
}

// The program that users start, without an agent beside it.
TEST_F(CliFlagsTest, EveryCommandsHelpIsThatOfTheAgent) {
  std::filesystem::copy_file(ProgramPath("bitpilot"), "bitpilot");
  std::vector<std::vector<std::string>> commands = {{"log"}, {"fleet"}};
  for (const auto& leaf : leaves_) commands.push_back(leaf.first);
  for (const std::vector<std::string>& command : commands) {
    SCOPED_TRACE(testing::PrintToString(command));
    std::vector<std::string> arguments = command;
    arguments.emplace_back("--help");
    const std::string of_agent = AgentOutput(arguments);
    arguments.insert(arguments.begin(), folder_.Path("bitpilot"));
    const ProgramResult help = RunProgram(arguments);
    EXPECT_EQ(help.exit_code, kExitDone) << help.err;
    EXPECT_THAT(help.out, HasSubstr("--help"));
    const bool only_reads =
        command[0] == "report" || command[0] == "replay" || command.back() == "verify";
    EXPECT_EQ(help.out.find("safe while its search runs") != std::string::npos, only_reads);
    EXPECT_EQ(WithExcludedInOrder(help.out), WithExcludedInOrder(of_agent));
  }
}

TEST_F(CliFlagsTest, FindsBeforeLoadingThatAnOutputCannotBeWritten) {
  const std::vector<std::vector<std::string>> cases = {
      {"train", "--model", "resnet8", "--bits", "w4a4", "--data", "nowhere", "-o", "none/x"},
      {"train", "--model", "resnet8", "--bits", "w4a4", "--data", "nowhere", "-o", "."},
      {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--data", "nowhere", "--export",
       "none/x"},
      {"evaluate", "--model", "resnet8", "--bits", "w4a4", "--data", "nowhere", "--device",
       "model:mpic_resnet8", "--compare", "none.json"}};
  for (const std::vector<std::string>& arguments : cases) {
    const Ending ending = RunCommand(arguments);
    EXPECT_NE(ending.exit_code, kExitDone);
    EXPECT_THAT(ending.err, Not(HasSubstr("--data"))) << testing::PrintToString(arguments);
  }
}

TEST_F(CliFlagsTest, PrintsJsonWhateverBytesItIsGiven) {
  const std::vector<std::vector<std::string>> plain = {
      {"search", "--study", "a.db", "--device", "model:nosuch"},
      {"train", "--model", "resnet8", "--bits", "w4a4", "--data", "nowhere", "--output", "x"},
      {"evaluate", "--model", "resnet8"},
      {"profile", "--model", "resnet8", "--device", "model:nosuch", "--export", "x.json"},
      {"fit-energy", "none.db", "--output", "x.cost"},
      {"report", "none.db", "--output", "x.html"},
      {"replay", "none.db", "--verify"},
      {"log", "verify", "none.db"},
      {"fleet", "keygen", "--keys", "none/keys"},
      {"fleet", "add", "none.db", "--endpoint", "odd"},
      {"fleet", "list"},
      {"fleet", "top"},
      {"fleet", "check"},
      {"fleet", "drain", "none.db"},
      {"fleet", "undrain", "none.db"},
      {"fleet", "quarantine", "none.db", "--reason", "why"},
      {"fleet", "release", "none.db"}};
  ASSERT_EQ(plain.size(), leaves_.size()) << "add the new command";
  for (const auto& [names, command] : leaves_) {
    const auto base = std::find_if(plain.begin(), plain.end(), [&](const auto& arguments) {
      return std::equal(names.begin(), names.end(), arguments.begin());
    });
    ASSERT_NE(base, plain.end()) << names.front();
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_type_name().starts_with("TEXT")) continue;
      for (const std::string& value :
           {std::string("\xff\xfe/\xc3"), std::string("\xff"), std::string(5000, 'x')}) {
        std::vector<std::string> arguments = *base;
        const std::string flag =
            option->get_positional() ? std::string() : "--" + option->get_lnames().front();
        const auto given = std::find(arguments.begin(), arguments.end(), flag);
        if (flag.empty()) {
          *std::find(arguments.begin(), arguments.end(), "none.db") = value;
        } else if (given != arguments.end()) {
          *(given + 1) = value;
        } else {
          arguments.insert(arguments.end(), {flag, value});
        }
        arguments.emplace_back("--json");
        const Ending ending = RunCommand(arguments);
        SCOPED_TRACE(names.front() + " " + flag + ": " + ending.err);
        EXPECT_NE(ending.exit_code, -1);
        EXPECT_THAT(ending.err, Not(HasSubstr("exception")));
        EXPECT_THAT(ending.err, Not(HasSubstr("filesystem error")));
        std::istringstream lines(ending.out);
        Json last;
        for (std::string line; std::getline(lines, line);) {
          last = Json::parse(line, nullptr, /*allow_exceptions=*/false);
          EXPECT_TRUE(last.is_object()) << line;
        }
        if (last.is_object()) {
          EXPECT_THAT(last.value("type", ""), testing::AnyOf("error", "result"));
        } else {
          ADD_FAILURE() << "no JSON";
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitpilot
