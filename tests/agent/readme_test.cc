// What README.md promises of programs and scripts, compared with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "kernels/base/text_file.h"
#include "tests/agent/program.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

std::string ReadSource(const std::string& name) {
  const Result<std::string> text = ReadTextFile(std::string(BITPILOT_SOURCE_DIR "/") + name);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? *text : std::string();
}

Words Split(const std::string& text) {
  std::istringstream stream(text);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Command lines of the blocks of code and of what stands in backquotes; without comments.
std::vector<Words> CommandsOfReadme() {
  std::istringstream lines(ReadSource("README.md"));
  std::vector<Words> commands;
  std::string prose;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("    ")) {
      commands.push_back(Split(line.substr(0, line.find(" #"))));
    } else {
      prose += line + " ";
    }
  }
  const std::regex quoted("`([^`]+)`");
  for (std::sregex_iterator it(prose.begin(), prose.end(), quoted), end; it != end; ++it) {
    commands.push_back(Split((*it)[1]));
  }
  return commands;
}

// "bitpilot fleet keygen" of a command, or empty if it is another program's, or none.
Words CommandName(const Words& words) {
  if (words.empty()) return {};
  if (words[0] == "./quickstart") return {"bitpilot", "search"};  // which gets all flags
  if ((words[0] != "bitpilot" && words[0] != "bitpilotd") || words.size() < 2) return {};
  if (words[1].starts_with("-")) return {};
  Words name = {words[0], words[1]};
  const bool has_commands = words[1] == "fleet" || words[1] == "log";
  if (has_commands && words.size() > 2) name.push_back(words[2]);
  return name;
}

const std::string& HelpOf(const Words& name) {
  static std::map<Words, std::string> helps;
  const auto [help, is_new] = helps.try_emplace(name);
  if (is_new) {
    Words arguments = name;
    arguments[0] = ProgramPath(name[0]);
    arguments.emplace_back("--help");
    const ProgramResult result = RunProgram(arguments);
    EXPECT_EQ(result.exit_code, 0) << testing::PrintToString(arguments) << result.err;
    help->second = result.out;
  }
  return help->second;
}

TEST(ReadmeTest, EveryFlagOfItsCommandsExists) {
  const std::regex flag("^--[a-z][a-z0-9-]*");
  int num_flags = 0;
  std::set<Words> names;
  for (const Words& words : CommandsOfReadme()) {
    const Words name = CommandName(words);
    if (name.empty()) continue;
    names.insert(name);
    for (const std::string& word : words) {
      std::smatch found;
      if (!std::regex_search(word, found, flag)) continue;
      ++num_flags;
      const std::regex in_help(found.str() + "([^a-z0-9-]|$)");
      EXPECT_TRUE(std::regex_search(HelpOf(name), in_help))
          << testing::PrintToString(words) << ": there is no " << found.str();
    }
    EXPECT_THAT(HelpOf(name), HasSubstr("--help"));
  }
  EXPECT_GE(num_flags, 30);
  EXPECT_GE(names.size(), 10U);
  EXPECT_TRUE(names.contains({"bitpilot", "fleet", "keygen"}));
  EXPECT_TRUE(names.contains({"bitpilotd", "serve"}));
}

// "(`./quickstart`: 18 measurements, four mini-batches each at most, 40 s for measuring; ...)".
TEST(ReadmeTest, SaysWhatQuickstartDoes) {
  const std::string script = ReadSource("quickstart");
  const auto default_of = [&script](const std::string& flag) {
    std::smatch found;
    const std::regex pattern("defaults\\+=\\(" + flag + " ([0-9]+)\\)");
    EXPECT_TRUE(std::regex_search(script, found, pattern)) << flag;
    return found.empty() ? 0 : std::stoi(found[1]);
  };
  constexpr const char* kWords[] = {"no",    "one",   "two",  "three", "four",   "five",  "six",
                                    "seven", "eight", "nine", "ten",   "eleven", "twelve"};
  const auto batches = static_cast<std::size_t>(default_of("--train-batches"));
  ASSERT_LT(batches, std::size(kWords));
  std::string readme;  // wherever its lines end
  for (const std::string& word : Split(ReadSource("README.md"))) readme += word + " ";
  EXPECT_THAT(readme,
              HasSubstr("`./quickstart`: " + std::to_string(default_of("--measurements")) +
                        " measurements, " + kWords[batches] + " mini-batches each at most, " +
                        std::to_string(default_of("--board-seconds")) + " s for measuring"));
}

}  // namespace
}  // namespace bitpilot
