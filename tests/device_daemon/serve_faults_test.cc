// What may go wrong around a real daemon, and what is to come of it.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/base/sha256.h"
#include "tests/device_daemon/daemon_process.h"
#include "tests/device_daemon/test_agent.h"
#include "tests/kernels/base/forged_networks.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

std::string HexOf(char byte, std::size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) {
    hex += kDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

class ServeFaultsTest : public testing::Test {
 protected:
  void ExpectServes(DaemonProcess& daemon) {
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    EXPECT_TRUE(agent.SayHello());
  }
  const TestNetwork network_ = MakeTestNetwork(4, 31);
};

// kill -9 behind a measurement whose result nobody acknowledged.
TEST_F(ServeFaultsTest, F6DeliversAResultAfterTheDaemonWasKilledAndFencesTheOldLease) {
  DaemonProcess daemon;
  v1::MeasureResult first;
  std::string boot_id;
  Message late;
  {
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    ASSERT_EQ(agent.Connect(), 1U);
    boot_id = agent.hello().boot_id();
    ASSERT_TRUE(agent.Upload(network_));
    first = agent.Measure(agent.MeasureRequest(network_, 'm'));
    ASSERT_GT(first.networks_size(), 0) << first.detail();
  }
  ASSERT_TRUE(daemon.WaitForFileInStore("results/" + HexOf('m', 16) + ".result"));
  daemon.Stop(SIGKILL);
  daemon.Restart();
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_TRUE(agent.SayHello());
  EXPECT_NE(agent.hello().boot_id(), boot_id);
  // Without a lease: nothing is executed.
  EXPECT_EQ(agent.Measure(agent.MeasureRequest(network_, 'm')).SerializeAsString(),
            first.SerializeAsString());
  Message ack = agent.Request();
  ack.envelope.mutable_result_ack()->set_measure_id(std::string(16, 'm'));
  agent.Send(ack);
  Message old = agent.MeasureRequest(network_, 'n');
  old.envelope.set_lease_epoch(1);
  EXPECT_EQ(FromProto(agent.Ask(old).envelope.error()).code(), StatusCode::kAborted);
  EXPECT_EQ(agent.AskForLease(v1::LeaseRequest::RESERVATION), 2U);
  EXPECT_FALSE(std::filesystem::exists(daemon.keys_folder() + "/store/results/" + HexOf('m', 16) +
                                       ".result"));
}

TEST_F(ServeFaultsTest, F6EndsTheWorkerOfAKilledDaemonAndMeasuresAgain) {
  DaemonProcess daemon;
  pid_t worker = 0;
  {
    TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
    ASSERT_GT(agent.Connect(), 0U);
    ASSERT_TRUE(agent.Upload(network_));
    ASSERT_GT(agent.Measure(agent.MeasureRequest(network_, 'a')).networks_size(), 0);
    worker = daemon.WorkerPid();
    ASSERT_GT(worker, 0);
    Message request = agent.MeasureRequest(network_, 'b');
    request.envelope.mutable_measure_request()->mutable_spec()->set_tier(v1::MeasureSpec::AUDIT);
    ASSERT_TRUE(agent.Ask(request).envelope.has_measure_accepted());
  }
  daemon.Stop(SIGKILL);
  EXPECT_TRUE(WaitUntilGone(worker));
  daemon.Restart();
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  EXPECT_GT(agent.Measure(agent.MeasureRequest(network_, 'b')).networks_size(), 0);
}

// systemd's end of the watchdog: fed by the loop that serves agents.
TEST_F(ServeFaultsTest, F7FeedsTheWatchdogNoMoreWhileItsLoopHangs) {
  const TemporaryFolder folder;
  const int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, (folder / "notify").c_str());
  ASSERT_EQ(bind(manager, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const timeval patience{20, 0};
  ASSERT_EQ(setsockopt(manager, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  setenv("NOTIFY_SOCKET", address.sun_path, 1);
  setenv("WATCHDOG_USEC", "100000", 1);
  std::optional<DaemonProcess> daemon(std::in_place);
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  const auto receive = [&](int flags) {
    char text[64];
    const ssize_t size = recv(manager, text, sizeof text, flags);
    return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
  };
  EXPECT_EQ(receive(0), "READY=1");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(receive(0), "WATCHDOG=1");
  kill(daemon->pid(), SIGSTOP);
  usleep(50'000);
  while (!receive(MSG_DONTWAIT).empty()) {
  }
  usleep(400'000);  // Eight times the pause between two words.
  EXPECT_EQ(receive(MSG_DONTWAIT), "");
  kill(daemon->pid(), SIGCONT);
  EXPECT_EQ(receive(0), "WATCHDOG=1");
  EXPECT_EQ(daemon->Stop(SIGTERM), 0);
  std::string last;
  for (std::string said = receive(MSG_DONTWAIT); !said.empty(); said = receive(MSG_DONTWAIT)) {
    last = said;
  }
  EXPECT_EQ(last, "STOPPING=1");
  close(manager);
}

TEST_F(ServeFaultsTest, F9TakesTheLeaseFromAnAgentThatStopsAndFencesIt) {
  DaemonProcess daemon;
  TestAgent stopped(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_TRUE(stopped.SayHello());
  TestAgent other(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_TRUE(other.SayHello());
  Message lease = stopped.Request();
  lease.envelope.mutable_lease_request()->set_ttl_ms(4'000);
  const std::uint64_t old = stopped.Ask(lease).envelope.lease_grant().epoch();
  ASSERT_GT(old, 0U);
  Message wait = other.Request();
  wait.envelope.mutable_lease_request()->set_ttl_ms(60'000);
  wait.envelope.mutable_lease_request()->set_wait(true);
  const v1::LeaseDenied denied = other.Ask(wait).envelope.lease_denied();
  EXPECT_EQ(denied.queue_position(), 1U);
  const std::optional<Message> granted = other.Receive();
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->envelope.lease_grant().epoch(), old + 1);
  Message late = stopped.MeasureRequest(network_, 'l');
  late.envelope.set_lease_epoch(old);
  EXPECT_EQ(FromProto(stopped.Ask(late).envelope.error()).code(), StatusCode::kAborted);
}

TEST_F(ServeFaultsTest, F10RunsTheJobsOfTwoAgentsOneAfterTheOther) {
  DaemonProcess daemon;
  TestAgent one(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  TestAgent two(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_EQ(one.Connect(v1::LeaseRequest::PER_JOB), 1U);
  ASSERT_EQ(two.Connect(v1::LeaseRequest::PER_JOB), 2U);
  ASSERT_TRUE(one.Upload(network_));
  Message first = one.MeasureRequest(network_, '1');
  first.envelope.mutable_measure_request()->mutable_spec()->set_tier(v1::MeasureSpec::STANDARD);
  ASSERT_TRUE(one.Ask(first).envelope.has_measure_accepted());
  const Message waits = two.Ask(two.MeasureRequest(network_, '2'));
  EXPECT_EQ(waits.envelope.measure_accepted().queue_position(), 1U);
  EXPECT_GT(one.ReceiveResult().networks_size(), 0);
  EXPECT_GT(two.ReceiveResult().networks_size(), 0);
}

// Every look at the clock shows another year, to the daemon and to its worker.
TEST_F(ServeFaultsTest, F14MeasuresAndKeepsTheLeaseWhileTheClockJumpsByYears) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers must be loaded before the library that makes the clock jump";
#endif
  setenv("LD_PRELOAD", JUMPING_CLOCK_PATH, 1);
  std::optional<DaemonProcess> daemon(std::in_place,
                                      std::vector<std::string>{"--log-format", "json"});
  unsetenv("LD_PRELOAD");
  TestAgent agent(daemon->endpoint(), daemon->public_key(), daemon->agent_keys());
  ASSERT_EQ(agent.Connect(), 1U);
  ASSERT_TRUE(agent.Upload(network_));
  for (const char id : {'a', 'b'}) {
    Message request = agent.MeasureRequest(network_, id);
    request.envelope.set_deadline_ms(60'000);
    const v1::MeasureResult result = agent.Measure(request);
    ASSERT_EQ(result.networks_size(), 1) << result.detail();
    for (const double window_ns : result.networks(0).window_ns()) {
      EXPECT_GT(window_ns, 0.0);
      EXPECT_LT(window_ns, 1e9);
    }
  }
  std::set<std::string> years;
  std::istringstream log(daemon->Log());
  const std::string stamp = R"("time":")";
  for (std::string line; std::getline(log, line);) {
    const std::size_t at = line.find(stamp);
    if (at != std::string::npos) years.insert(line.substr(at + stamp.size(), 4));
  }
  EXPECT_GE(years.size(), 2U) << "the clock does not jump: this shows nothing";
}

// Half handshakes, a frame beyond the limit, 100,000 frames in one message, and many tiny messages.
TEST_F(ServeFaultsTest, F33ServesOthersThroughAFlood) {
  DaemonProcess daemon;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(
      std::stoi(daemon.endpoint().substr(daemon.endpoint().rfind(':') + 1))));
  std::vector<int> idlers;
  const std::string greeting("\xFF\0\0\0\0\0\0\0\x01\x7F\x03\0CURVE", 17);
  for (int i = 0; i < 200; ++i) {
    const int idler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(idler, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      (void)send(idler, greeting.data(), i % 2 == 0 ? greeting.size() : 5, MSG_NOSIGNAL);
    }
    idlers.push_back(idler);
  }
  TestAgent hostile(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_TRUE(hostile.SayHello());
  hostile.SendFrames({std::string((std::size_t{8} << 20) + 1, 'x')});
  TestAgent many(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_TRUE(many.SayHello());
  many.SendFrames(std::vector<std::string>(100'000, "x"));
  EXPECT_EQ(FromProto(many.Receive()->envelope.error()).code(), StatusCode::kDataCorrupt);
  for (int i = 0; i < 2'000; ++i) {
    many.SendFrames({"BPLT", ""});
    EXPECT_TRUE(many.Receive());
  }
  ExpectServes(daemon);
  for (const int idler : idlers) close(idler);
}

TEST_F(ServeFaultsTest, F36KeepsAnUploadOutsideOfEverythingButItsStore) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  for (const std::string& name :
       {std::string("../../../tmp/evil"), std::string("../authorized_agents"), std::string(32, '/'),
        std::string(32, '\0')}) {
    Message query = agent.Request();
    query.envelope.mutable_artifact_query()->set_sha256(name);
    query.envelope.mutable_artifact_query()->set_total_bytes(5);
    const Message reply = agent.Ask(query);
    if (name.size() == 32) continue;  // As good a hash as any: the file is named by its digits.
    EXPECT_EQ(FromProto(reply.envelope.error()).code(), StatusCode::kInvalidArgument);
  }
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(daemon.keys_folder() + "/..")) {
    EXPECT_EQ(entry.path().filename().string().find("evil"), std::string::npos) << entry.path();
  }
}

// Their files are whole: only what they describe is wrong.
TEST_F(ServeFaultsTest, F37RefusesNetworksThatAreNoneBeforeItRunsThem) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  char id = 0;
  for (const ForgedNetwork& forged : ForgedNetworks()) {
    SCOPED_TRACE(forged.error);
    TestNetwork hostile;
    hostile.file = forged.file;
    const Sha256Digest digest = ComputeSha256(hostile.file);
    hostile.sha256.assign(digest.begin(), digest.end());
    ASSERT_TRUE(agent.Upload(hostile));
    Message request = agent.MeasureRequest(network_, ++id);
    request.envelope.mutable_measure_request()->set_network_sha256(0, hostile.sha256);
    const v1::MeasureResult result = agent.Measure(request);
    EXPECT_EQ(result.status(), v1::REJECTED) << result.detail();
    EXPECT_NE(result.detail().find(forged.error), std::string::npos) << result.detail();
  }
  ASSERT_TRUE(agent.Upload(network_));
  EXPECT_GT(agent.Measure(agent.MeasureRequest(network_, ++id)).networks_size(), 0);
}

// A damaged network of every kind that one byte makes: never a crash.
TEST_F(ServeFaultsTest, F37SurvivesNetworksWithAByteThatIsWrong) {
  DaemonProcess daemon;
  TestAgent agent(daemon.endpoint(), daemon.public_key(), daemon.agent_keys());
  ASSERT_GT(agent.Connect(), 0U);
  int rejected = 0;
  // Those that are networks after all are measured: so not every byte.
  for (std::size_t at = 0; at < 160; at += 7) {
    TestNetwork hostile = network_;
    if (at >= hostile.file.size()) break;
    hostile.file[at] = static_cast<char>(hostile.file[at] == '\xFF' ? 33 : '\xFF');
    const Sha256Digest digest = ComputeSha256(hostile.file);
    hostile.sha256.assign(reinterpret_cast<const char*>(digest.data()), digest.size());
    ASSERT_TRUE(agent.Upload(hostile)) << at;
    Message request = agent.MeasureRequest(network_, static_cast<char>(at + 1));
    request.envelope.mutable_measure_request()->set_network_sha256(0, hostile.sha256);
    const v1::MeasureResult result = agent.Measure(request);
    EXPECT_NE(result.status(), v1::CRASH) << at << " " << result.detail();
    EXPECT_NE(result.status(), v1::TIMED_OUT) << at << " " << result.detail();
    EXPECT_NE(result.status(), v1::MEASURE_STATUS_UNSPECIFIED) << at << " " << result.detail();
    rejected += result.status() == v1::REJECTED;
  }
  EXPECT_GT(rejected, 5);
}

}  // namespace
}  // namespace bitpilot
