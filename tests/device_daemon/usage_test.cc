// bitpilotd's command line with what it cannot take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

constexpr char kNoUtf8[] = "\xff\xfe";

// The flags of `command` whose help says that they take a number.
std::vector<std::string> NumericFlags(const std::string& command) {
  std::istringstream help(RunBitpilotd({command, "--help"}).standard_output);
  std::vector<std::string> flags;
  for (std::string line; std::getline(help, line);) {
    std::istringstream words(line);
    std::string flag;
    std::string type;
    words >> flag >> type;
    const bool is_number =
        type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT");
    if (flag.starts_with("--") && is_number) flags.push_back(flag);
  }
  return flags;
}

TEST(UsageTest, RefusesWhatIsNoNumber) {
  const std::vector<std::string> flags = NumericFlags("serve");
  EXPECT_GE(flags.size(), 3U);
  for (const std::string& flag : flags) {
    for (const char* text : {"inf", "nan", "1x", "0x10", "1e999", "-1", "99999999999999999999"}) {
      const ProgramEnd end = RunBitpilotd({"serve", "--listen", "tcp://127.0.0.1:0", flag, text});
      EXPECT_EQ(end.exit_code, 2);
      EXPECT_THAT(end.standard_error, HasSubstr(flag)) << text;
    }
  }
}

TEST(UsageTest, PrintsJsonWhateverBytesItIsGiven) {
  const TemporaryFolder folder;
  const std::string odd = folder / kNoUtf8;
  const ProgramEnd made = RunBitpilotd({"keygen", "--keys", odd, "--json"});
  EXPECT_EQ(made.exit_code, 0) << made.standard_error;
  EXPECT_EQ(Json::parse(made.standard_output)["type"], "result");
  const std::vector<std::vector<std::string>> cases = {
      {"keygen", "--keys", odd},
      {"bench", "--network", odd},
      {"bench", "--network", std::string(5000, 'x')},
      {"bench", "--bits", kNoUtf8},
      {"bench", "--isa", kNoUtf8},
      {"run", odd, odd},
      {"check", kNoUtf8},
      {"serve", "--listen", "tcp://127.0.0.1:0", "--keys", odd + "/none"},
      {"serve", "--listen", kNoUtf8, "--keys", odd},
      {"serve", "--listen", "tcp://127.0.0.1:0", "--keys", odd, "--backend", kNoUtf8},
      {"serve", "--listen", "tcp://127.0.0.1:0", "--keys", odd, "--name", kNoUtf8},
      {kNoUtf8}};
  for (std::vector<std::string> arguments : cases) {
    arguments.emplace_back("--json");
    const ProgramEnd end = RunBitpilotd(arguments);
    SCOPED_TRACE(arguments.front() + ": " + end.standard_error);
    EXPECT_THAT(end.exit_code, testing::AnyOf(1, 2));
    EXPECT_THAT(end.standard_error, Not(HasSubstr("exception")));
    EXPECT_EQ(Json::parse(end.standard_output, nullptr, false).value("type", ""), "error");
  }
}

TEST(UsageTest, TakesUnknownNamesForWrongUsage) {
  const TemporaryFolder folder;
  ASSERT_EQ(RunBitpilotd({"keygen", "--keys", folder / "keys"}).exit_code, 0);
  const std::vector<std::string> serve = {"serve", "--listen", "tcp://127.0.0.1:0", "--keys",
                                          folder / "keys"};
  const auto with = [&](const std::string& flag, const std::string& value) {
    std::vector<std::string> arguments = serve;
    arguments.insert(arguments.end(), {flag, value});
    return RunBitpilotd(arguments);
  };
  EXPECT_EQ(RunBitpilotd({"bench", "--network", "nosuch"}).exit_code, 2);
  EXPECT_EQ(RunBitpilotd({"bench", "--isa", "nosuch"}).exit_code, 2);
  EXPECT_EQ(with("--isa", "nosuch").exit_code, 2);
  EXPECT_EQ(with("--backend", "nosuch").exit_code, 2);
  const ProgramEnd table = with("--backend", "model:nosuch");
  EXPECT_EQ(table.exit_code, 2);
  // As `bitpilot search --device` says it: with the names that there are.
  EXPECT_THAT(table.standard_error, HasSubstr("no shipped board of that name, only: mpic_"));
  EXPECT_THAT(table.standard_error, HasSubstr("zen5_avx2_resnet8"));
  // A path is no name: the file is not there.
  EXPECT_EQ(with("--backend", "model:./nosuch.cost").exit_code, 1);
}

TEST(UsageTest, ServesAShippedBoardByItsName) {
  const DaemonProcess daemon({"--backend", "model:zen5_avx2_resnet8", "--fast"});
  EXPECT_FALSE(daemon.endpoint().empty());
}

TEST(UsageTest, SaysOfAMeterThatItCannotBeStarted) {
  const ProgramEnd end = RunBitpilotd({"check", "--meter", "no-such-meter 2>/dev/null", "--json"});
  const Json sources = Json::parse(end.standard_output)["energy_sources"];
  ASSERT_FALSE(sources.empty());
  EXPECT_THAT(sources[0]["reason"].get<std::string>(), HasSubstr("cannot be started"));
}

}  // namespace
}  // namespace bitpilot
