// Who gets in, and how bitpilotd starts and ends.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

Message Hello() {
  Message hello;
  hello.envelope.set_request_id(1);
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  return hello;
}

// Sends Hello and expects silence.
void ExpectRefused(TestAgent& agent) {
  agent.Send(Hello());
  EXPECT_FALSE(agent.Receive(milliseconds{400}));
}

// A raw TCP connection that writes `bytes` and then says nothing. Returns its descriptor.
int ConnectRaw(const std::string& endpoint, const std::string& bytes) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  return descriptor;
}

TEST(ServeKeysTest, F34RefusesStrangersAndKeepsServing) {
  DaemonProcess daemon;
  TestAgent stranger(daemon.endpoint(), daemon.public_key(), MakeCurveKeys());
  ExpectRefused(stranger);
  EXPECT_TRUE(daemon.WaitForLog("refused 127.0.0.1: its key is not authorized")) << daemon.Log();
  // The gate's line names the key; the socket, which knows the port, does not say it again.
  EXPECT_THAT(daemon.Log(),
              testing::Not(testing::ContainsRegex("127\\.0\\.0\\.1:[0-9]+: its key is not")));
  TestAgent misled(daemon.endpoint(), MakeCurveKeys().public_key, daemon.agent_keys());
  ExpectRefused(misled);
  TestAgent plain(daemon.endpoint(), "", std::nullopt);
  ExpectRefused(plain);
  EXPECT_TRUE(daemon.WaitForLog("it has no CURVE key, or not this daemon's public key"))
      << daemon.Log();
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  EXPECT_EQ(agent.Connect(), 1U);
}

TEST(ServeKeysTest, F30SurvivesBytesThatAreNotZeroMq) {
  DaemonProcess daemon;
  std::vector<int> idlers;
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1'000, '\xFF'), std::string(1, '\x01'),
        std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03", 11),
        // ZMTP 1 and 2, which know no CURVE.
        std::string("\x01\x00", 2), std::string("\xFF\0\0\0\0\0\0\0\x01\x7F\x01\x05\0\0", 14)}) {
    idlers.push_back(ConnectRaw(daemon.endpoint(), bytes));
  }
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  EXPECT_EQ(agent.Connect(), 1U);
  for (const int descriptor : idlers) close(descriptor);
}

TEST(ServeKeysTest, AnswersGarbageOfAListedAgentWithAnError) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_EQ(agent.Connect(), 1U);
  agent.SendFrames({"what", "is", "this"});
  agent.SendFrames({"BPLT\x01", std::string(100, '\xEE')});
  agent.SendFrames(std::vector<std::string>(1'000, "x"));
  for (int i = 0; i < 3; ++i) {
    const std::optional<Message> reply = agent.Receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(FromProto(reply->envelope.error()).code(), StatusCode::kDataCorrupt);
  }
  Message ping = agent.Request();
  ping.envelope.mutable_ping();
  EXPECT_TRUE(agent.Ask(ping).envelope.has_pong());
}

TEST(ServeKeysTest, GrantsHigherEpochsAfterARestart) {
  DaemonProcess daemon;
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    EXPECT_EQ(agent.Connect(), epoch);
    daemon.Restart();
  }
}

TEST(ServeKeysTest, NamesThePortThatIsInUse) {
  DaemonProcess daemon;
  const TemporaryFolder store;
  const ProgramEnd end = RunBitpilotd({"serve", "--listen", daemon.endpoint(), "--keys",
                                       daemon.keys_folder(), "--store", store.path()});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_NE(end.standard_error.find(daemon.endpoint() + " is in use"), std::string::npos)
      << end.standard_error;
}

TEST(ServeKeysTest, NamesTheStoreThatIsInUse) {
  DaemonProcess daemon;
  const ProgramEnd end =
      RunBitpilotd({"serve", "--listen", "tcp://127.0.0.1:0", "--keys", daemon.keys_folder()});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_NE(end.standard_error.find("--store"), std::string::npos) << end.standard_error;
}

TEST(ServeKeysTest, RefusesToServeWithoutKeysAndSaysHowToMakeThem) {
  for (const char* endpoint : {"tcp://0.0.0.0:7777", "tcp://127.0.0.1:0"}) {
    const ProgramEnd end = RunBitpilotd({"serve", "--listen", endpoint});
    EXPECT_EQ(end.exit_code, 2);
    EXPECT_NE(end.standard_error.find("bitpilotd keygen --keys DIR"), std::string::npos);
  }
  const TemporaryFolder empty;
  const ProgramEnd end =
      RunBitpilotd({"serve", "--listen", "tcp://127.0.0.1:0", "--keys", empty.path()});
  EXPECT_EQ(end.exit_code, 1);
  EXPECT_NE(end.standard_error.find("bitpilotd keygen --keys " + empty.path()), std::string::npos);
}

TEST(ServeKeysTest, StopsCleanlyOnSigterm) {
  DaemonProcess daemon;
  EXPECT_EQ(daemon.Stop(SIGTERM), 0);
}

TEST(BitpilotdTest, ReportsWrongUsageWithExitCodeTwo) {
  EXPECT_EQ(RunBitpilotd({}).exit_code, 2);
  EXPECT_EQ(RunBitpilotd({"fly"}).exit_code, 2);
  EXPECT_EQ(RunBitpilotd({"serve"}).exit_code, 2);
  for (const char* endpoint : {"carrier-pigeon", "tcp://127.0.0.1", "tcp://127.0.0.1:",
                               "tcp://127.0.0.1:99999", "tcp://127.0.0.1:7x", "tcp://:"}) {
    EXPECT_EQ(RunBitpilotd({"serve", "--listen", endpoint, "--keys", "k"}).exit_code, 2)
        << endpoint;
  }
  EXPECT_EQ(RunBitpilotd({"--help"}).exit_code, 0);
}

TEST(BitpilotdTest, NamesAnUnknownHostAndAnAddressThatIsNotItsOwn) {
  const ProgramEnd unknown =
      RunBitpilotd({"serve", "--listen", "tcp://no-such-board.invalid:7777", "--keys", "k"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.standard_error.find("--listen tcp://no-such-board.invalid:7777"),
            std::string::npos)
      << unknown.standard_error;
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder.path(), false).ok());
  const ProgramEnd foreign =
      RunBitpilotd({"serve", "--listen", "tcp://192.0.2.1:7777", "--keys", folder.path()});
  EXPECT_EQ(foreign.exit_code, 1);
  EXPECT_NE(foreign.standard_error.find("this machine has no such address"), std::string::npos)
      << foreign.standard_error;
}

TEST(BitpilotdTest, RefusesAStoreThatHoldsTheKeys) {
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder / "keys", false).ok());
  for (const std::string& store : {folder.path(), folder / "keys", folder / "keys/."}) {
    const ProgramEnd end = RunBitpilotd(
        {"serve", "--listen", "tcp://127.0.0.1:0", "--keys", folder / "keys", "--store", store});
    EXPECT_EQ(end.exit_code, 2) << store;
    EXPECT_NE(end.standard_error.find("--store " + store), std::string::npos) << end.standard_error;
  }
}

// Its log may be a pipe to a program, or a terminal, that is gone.
TEST(BitpilotdTest, ServesOnWhenNobodyReadsItsLog) {
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder / "keys", false).ok());
  std::array<int, 2> log{};
  ASSERT_EQ(pipe2(log.data(), O_CLOEXEC), 0);
  const pid_t daemon = fork();
  if (daemon == 0) {
    dup2(log[1], STDERR_FILENO);
    const int out = open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dup2(out, STDOUT_FILENO);
    execl(BITPILOTD_PATH, "bitpilotd", "serve", "--listen", "tcp://127.0.0.1:0", "--keys",
          (folder / "keys").c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(log[1]);
  close(log[0]);
  const auto ready = [&] {
    std::ifstream out(folder / "out");
    std::string line;
    return std::getline(out, line) && !out.eof();
  };
  for (int i = 0; i < 3'000 && !ready(); ++i) usleep(10'000);
  ASSERT_TRUE(ready());
  kill(daemon, SIGHUP);  // Writes lines to the log.
  kill(daemon, SIGTERM);
  int status = 0;
  ASSERT_EQ(waitpid(daemon, &status, 0), daemon);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(BitpilotdTest, ReportsFailuresAsJsonToo) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"bench", "--bits", "w9a9", "--json"},
        {"run", "none.bpnet", "none.bin", "--json"},
        {"serve", "--listen", "carrier-pigeon", "--keys", "k", "--json"},
        {"check", "--wings", "--json"}}) {
    const ProgramEnd end = RunBitpilotd(arguments);
    SCOPED_TRACE(arguments.front());
    EXPECT_NE(end.exit_code, 0);
    EXPECT_EQ(nlohmann::json::parse(end.standard_output)["type"], "error");
    EXPECT_FALSE(end.standard_error.empty());
  }
}

TEST(BitpilotdTest, FailsIfItsResultIsLostOnAFullDisk) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "this system has no /dev/full";
  const TemporaryFolder folder;
  const std::string command =
      "'" BITPILOTD_PATH "' check --json > /dev/full 2> '" + (folder / "err") + "'";
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream err(folder / "err");
  const std::string text((std::istreambuf_iterator<char>(err)), {});
  EXPECT_NE(text.find("standard output"), std::string::npos) << text;
}

TEST(BitpilotdTest, ChecksThisMachine) {
  const ProgramEnd end = RunBitpilotd({"check", "--json"});
  EXPECT_EQ(end.exit_code, 0) << end.standard_error;
  const nlohmann::json line = nlohmann::json::parse(end.standard_output);
  EXPECT_EQ(line["type"], "result");
  EXPECT_TRUE(line["ready"]);
  EXPECT_TRUE(line["curve"]);
  // What the kernel lacks is said, and nothing else.
  const auto sandbox = line["worker_sandbox"].get<std::vector<std::string>>();
  EXPECT_EQ(sandbox.size() + line["worker_sandbox_gaps"].size(), 3U);
  EXPECT_GT(line["free_memory_bytes"], 0);
}

TEST(BitpilotdTest, ListsEnergySourcesWithTheReasonsOfThoseThatCannotBeUsed) {
  const ProgramEnd end = RunBitpilotd({"check", "--json", "--meter", METER_SYNTHETIC_PATH});
  EXPECT_EQ(end.exit_code, 0) << end.standard_error;
  const nlohmann::json line = nlohmann::json::parse(end.standard_output);
  ASSERT_FALSE(line["energy_sources"].empty());
  const nlohmann::json& meter = line["energy_sources"][0];
  EXPECT_EQ(meter["name"], "meter:synthetic");
  EXPECT_EQ(meter["tier"], "METER_EXTERNAL");
  EXPECT_EQ(meter["min_window_s"], 2.0);
  for (const nlohmann::json& source : line["energy_sources"]) {
    EXPECT_EQ(source["usable"].get<bool>(), !source.contains("reason")) << source;
  }
  EXPECT_TRUE(line["board_state"]["concerns"].is_array());
  const ProgramEnd broken = RunBitpilotd({"check", "--json", "--meter", "exit 3"});
  const nlohmann::json refused = nlohmann::json::parse(broken.standard_output)["energy_sources"][0];
  EXPECT_EQ(refused["usable"], false);
  EXPECT_EQ(refused["status"], "UNAVAILABLE");
  EXPECT_NE(refused["reason"].get<std::string>().find("--meter 'exit 3'"), std::string::npos);
}

// Its current flows backward for half of every 20 ms: no measurement would take it.
TEST(BitpilotdTest, ChecksAMeterAsAMeasurementWould) {
  const ProgramEnd end =
      RunBitpilotd({"check", "--json", "--meter",
                    METER_SYNTHETIC_PATH " --watts 1 --amplitude 4 --cycle-ms 20"});
  const nlohmann::json meter = nlohmann::json::parse(end.standard_output)["energy_sources"][0];
  EXPECT_EQ(meter["name"], "meter:synthetic");
  EXPECT_EQ(meter["usable"], false);
  EXPECT_EQ(meter["status"], "DATA_CORRUPT");
  EXPECT_NE(meter["reason"].get<std::string>().find("sign or wiring"), std::string::npos) << meter;
}

TEST(BitpilotdTest, MakesKeysOnce) {
  const TemporaryFolder folder;
  const ProgramEnd first = RunBitpilotd({"keygen", "--keys", folder / "keys", "--json"});
  EXPECT_EQ(first.exit_code, 0);
  const nlohmann::json line = nlohmann::json::parse(first.standard_output);
  EXPECT_EQ(line["public_key"], ReadDaemonKeys(folder / "keys")->public_key);
  const ProgramEnd second = RunBitpilotd({"keygen", "--keys", folder / "keys"});
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_NE(second.standard_error.find("--force"), std::string::npos);
}

TEST(BitpilotdTest, RunsANetworkOnRawImagesAndRecords) {
  const TemporaryFolder folder;
  const TestNetwork made = MakeTestNetwork(4, 3);
  const std::string image = RandomPixels(3 * 32 * 32, 8);
  ASSERT_TRUE(WriteNetworkFile(folder / "n.bpnet", made.network).ok());
  std::ofstream(folder / "raw", std::ios::binary) << image << image;
  std::ofstream(folder / "records", std::ios::binary) << '\x07' << image;
  const std::string golden = GoldenLogits(made.network, image);
  const ProgramEnd raw = RunBitpilotd({"run", folder / "n.bpnet", folder / "raw", "--json"});
  ASSERT_EQ(raw.exit_code, 0) << raw.standard_error;
  const nlohmann::json first =
      nlohmann::json::parse(raw.standard_output.substr(0, raw.standard_output.find('\n')));
  const auto logits = first["logits"].get<std::vector<float>>();
  ASSERT_EQ(logits.size() * sizeof(float), golden.size());
  EXPECT_EQ(std::memcmp(logits.data(), golden.data(), golden.size()), 0);
  EXPECT_NE(raw.standard_output.find("\"type\":\"result\",\"images\":2"), std::string::npos);
  const ProgramEnd records =
      RunBitpilotd({"run", folder / "n.bpnet", folder / "records", "--cifar10"});
  EXPECT_EQ(records.exit_code, 0) << records.standard_error;
  EXPECT_EQ(records.standard_output.find("image 0: class "), 0U);
}

TEST(BitpilotdTest, NamesTheFileThatIsWrong) {
  const TemporaryFolder folder;
  const TestNetwork made = MakeTestNetwork(4, 3);
  ASSERT_TRUE(WriteNetworkFile(folder / "n.bpnet", made.network).ok());
  std::ofstream(folder / "odd") << "odd";
  std::ofstream(folder / "cut.bpnet", std::ios::binary) << made.file.substr(0, 100);
  for (const auto& [network, input, named] :
       {std::array{folder / "missing.bpnet", folder / "odd", folder / "missing.bpnet"},
        std::array{folder / "cut.bpnet", folder / "odd", folder / "cut.bpnet"},
        std::array{folder / "n.bpnet", folder / "missing", folder / "missing"},
        std::array{folder / "n.bpnet", folder / "odd", folder / "odd"}}) {
    const ProgramEnd end = RunBitpilotd({"run", network, input});
    EXPECT_EQ(end.exit_code, 1);
    EXPECT_NE(end.standard_error.find(named), std::string::npos) << end.standard_error;
  }
}

}  // namespace
}  // namespace bitpilot
