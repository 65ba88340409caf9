// ClientCore against a simulated board over a hostile network: messages are lost, doubled and
// overtake each other, links break, the board reboots and hangs. Everything follows from the seed.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "agent/fleet/client_core.h"
#include "tests/agent/fleet_simulated_board.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

constexpr int kNumJobs = 12;
constexpr milliseconds kFaultsEnd{150'000};
constexpr milliseconds kEnd{900'000};

// Percent of messages.
struct Faults {
  int dropped = 0;
  int doubled = 0;
  int delayed = 0;      // by up to 3 s, so that later ones overtake
  int link_breaks = 0;  // per simulated second
  int reboots = 0;      // per simulated second
  int wipes = 0;        // of reboots: the network files are lost, too
};

JobRequest MakeJob(int number) {
  JobRequest request;
  request.id = static_cast<JobId>(number);
  const int num_networks = number % 3 == 0 ? 2 : 1;
  for (int i = 0; i < num_networks; ++i) {
    std::string sha256(32, static_cast<char>('a' + number));
    sha256[0] = static_cast<char>('0' + i);
    // Some files need several chunks, some one.
    static const auto kLarge = std::make_shared<const std::string>(1'200'000, 'l');
    static const auto kSmall = std::make_shared<const std::string>(5000, 's');
    request.artifacts.push_back({sha256, number % 4 == 0 ? kLarge : kSmall});
  }
  if (number % 2 == 0 && num_networks == 1) {
    InferInput input;
    input.image_bytes = SimulatedBoard::kImageBytes;
    input.num_classes = SimulatedBoard::kNumClasses;
    for (int i = 0; i < 700; ++i) {
      input.pixels += static_cast<char>(number);
      input.pixels += static_cast<char>(i);
      input.pixels += static_cast<char>(i >> 8);
      input.pixels += 'x';
    }
    request.input = input;
  } else {
    MeasureInput input;
    input.measure_id = std::string(16, static_cast<char>('A' + number));
    input.golden_pixels = "pixels";
    input.golden_logits.assign(request.artifacts.size(), "abcd");
    input.num_operations.assign(request.artifacts.size(), 3);
    request.input = input;
  }
  return request;
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Faults& faults)
      : random_(seed), faults_(faults), core_(Options(seed)) {}

  void Run() {
    Step(Started{});
    for (int i = 0; i < kNumJobs; ++i) Step(JobSubmitted{MakeJob(i)});
    while (now_ < kEnd && static_cast<int>(results_.size()) < kNumJobs) {
      now_ += milliseconds(10);
      if (now_ < kFaultsEnd && now_.count() % 1000 == 0) BreakSomething();
      for (const Message& message : board_.Advance(now_)) ToAgent(message);
      Deliver();
      const auto wakeup = core_.NextWakeup();
      if (wakeup.has_value() && *wakeup <= now_) Step(TimePassed{});
    }
  }

  const std::map<JobId, std::vector<JobResult>>& results() const { return results_; }
  const SimulatedBoard& board() const { return board_; }
  Instant now() const { return now_; }

 private:
  struct InFlight {
    Instant arrival;
    int link;
    bool to_board;
    Message message;
  };

  static ClientOptions Options(std::uint64_t seed) {
    ClientOptions options;
    options.board_name = "simulated";
    options.endpoint = "tcp://192.0.2.1:7777";
    options.connect_timeout = kEnd;
    options.reconnect_timeout = kEnd;
    options.lease_wait = kEnd;
    options.jitter_seed = seed;
    return options;
  }

  bool Percent(int percent) { return static_cast<int>(random_() % 100) < percent; }
  bool Faulty() const { return now_ < kFaultsEnd; }

  void Send(const Message& message, bool to_board) {
    if (Faulty() && Percent(faults_.dropped)) return;
    const int copies = Faulty() && Percent(faults_.doubled) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      milliseconds delay(static_cast<int>(random_() % 20));
      if (Faulty() && Percent(faults_.delayed))
        delay = milliseconds(static_cast<int>(random_() % 3000));
      in_flight_.push_back({now_ + delay, link_, to_board, message});
    }
  }
  void ToAgent(const Message& message) { Send(message, false); }

  void Deliver() {
    std::vector<InFlight> due;
    std::vector<InFlight> later;
    for (InFlight& one : in_flight_) {
      (one.arrival <= now_ ? due : later).push_back(std::move(one));
    }
    in_flight_ = std::move(later);
    for (const InFlight& one : due) {
      if (one.link != link_ || !link_open_) continue;  // its connection is gone
      if (!one.to_board) {
        Step(MessageReceived{one.message});
      } else {
        for (const Message& reply : board_.Receive(one.message, now_)) ToAgent(reply);
      }
    }
  }

  void BreakSomething() {
    if (Percent(faults_.reboots)) {
      board_.Reboot();
      if (Percent(faults_.wipes)) board_.WipeArtifacts();
      Break("the board rebooted");
    } else if (Percent(faults_.link_breaks)) {
      Break("cable pulled");
    }
  }

  void Break(const std::string& reason) {
    if (!link_open_) return;
    link_open_ = false;
    Step(LinkDown{reason});
  }

  void Step(const ClientEvent& event) {
    for (ClientAction& action : core_.Step(event, now_)) {
      if (std::holds_alternative<OpenLink>(action)) {
        ++link_;
        link_open_ = true;
        pending_up_ = true;
      } else if (std::holds_alternative<CloseLink>(action)) {
        link_open_ = false;
      } else if (auto* send = std::get_if<SendMessage>(&action)) {
        Send(send->message, true);
      } else if (auto* finished = std::get_if<JobFinished>(&action)) {
        results_[finished->result.id].push_back(std::move(finished->result));
      } else {
        EXPECT_FALSE(std::holds_alternative<BoardFailed>(action));
      }
    }
    if (std::exchange(pending_up_, false)) Step(LinkUp{});
  }

  std::mt19937_64 random_;
  const Faults faults_;
  ClientCore core_;
  SimulatedBoard board_;
  Instant now_{0};
  int link_ = 0;
  bool link_open_ = false;
  bool pending_up_ = false;
  std::vector<InFlight> in_flight_;
  std::map<JobId, std::vector<JobResult>> results_;
};

// The numbers must be of the job's own networks and images, whatever was doubled or overtaken.
void ExpectOwnNumbers(const JobRequest& request, const JobResult& result) {
  if (const auto* infer = std::get_if<InferInput>(&request.input)) {
    if (!result.status.ok()) return;
    ASSERT_EQ(result.logits.size(), 700U);
    for (std::size_t i = 0; i < result.logits.size(); ++i) {
      ASSERT_EQ(result.logits[i], SimulatedBoard::LogitsOf(infer->pixels.substr(i * 4, 4)));
    }
    return;
  }
  ASSERT_TRUE(result.status.ok()) << result.status.message();
  if (!HasNumbers(result.measurement.status)) {
    EXPECT_TRUE(result.measurement.networks.empty());
    return;
  }
  ASSERT_EQ(result.measurement.networks.size(), request.artifacts.size());
  for (std::size_t i = 0; i < request.artifacts.size(); ++i) {
    EXPECT_EQ(result.measurement.networks[i].latency_median_ns,
              SimulatedBoard::LatencyOf(request.artifacts[i].sha256));
  }
}

// Runs one seed, checks the invariants, and returns how many jobs got numbers.
int RunAndCheck(std::uint64_t seed, const Faults& faults) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Simulation simulation(seed, faults);
  simulation.Run();
  EXPECT_LE(simulation.board().max_executions(), 1);
  int num_good = 0;
  for (int i = 0; i < kNumJobs; ++i) {
    const auto found = simulation.results().find(static_cast<JobId>(i));
    if (found == simulation.results().end()) {
      ADD_FAILURE() << "job " << i << " never finished";
      continue;
    }
    EXPECT_EQ(found->second.size(), 1U) << "job " << i;
    const JobResult& result = found->second.front();
    const JobRequest request = MakeJob(i);
    ExpectOwnNumbers(request, result);
    const bool is_measure = std::holds_alternative<MeasureInput>(request.input);
    num_good += is_measure ? HasNumbers(result.measurement.status) : result.status.ok();
  }
  return num_good;
}

TEST(FleetSimulationTest, FinishesEveryJobOnAQuietNetwork) {
  EXPECT_EQ(RunAndCheck(1, Faults{}), kNumJobs);
}

TEST(FleetSimulationTest, DeliversEveryJobOnceWhenMessagesAreLostDoubledAndOvertaken) {
  const Faults faults{.dropped = 4, .doubled = 15, .delayed = 10};
  int num_good = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) num_good += RunAndCheck(seed, faults);
  // Giving up is legal after three attempts, but must stay rare: the board is never away for good.
  EXPECT_GE(num_good, 40 * kNumJobs * 95 / 100);
}

TEST(FleetSimulationTest, DeliversEveryJobOnceWhenDoubledMessagesOnlyAreTheFault) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EXPECT_EQ(RunAndCheck(seed, Faults{.doubled = 60}), kNumJobs);
  }
}

TEST(FleetSimulationTest, DeliversEveryJobOnceWhenLinksBreakAndTheBoardReboots) {
  const Faults faults{.doubled = 5, .delayed = 5, .link_breaks = 10, .reboots = 8, .wipes = 50};
  int num_good = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) num_good += RunAndCheck(seed, faults);
  EXPECT_GE(num_good, 40 * kNumJobs * 80 / 100);
}

TEST(FleetSimulationTest, GivesUpOnAMeasurementInsteadOfTryingForEver) {
  // Every second the board reboots: no measurement of 0.7 s and its upload ever ends in the faulty
  // time.
  const Faults faults{.link_breaks = 0, .reboots = 100, .wipes = 100};
  for (std::uint64_t seed = 1; seed <= 5; ++seed) RunAndCheck(seed, faults);
}

TEST(FleetSimulationTest, IsDeterministic) {
  const Faults faults{.dropped = 4, .doubled = 15, .delayed = 10, .link_breaks = 5, .reboots = 2};
  Simulation first(7, faults);
  Simulation second(7, faults);
  first.Run();
  second.Run();
  EXPECT_EQ(first.now(), second.now());
  EXPECT_EQ(first.board().num_boots(), second.board().num_boots());
  EXPECT_EQ(first.board().num_chunk_bytes(), second.board().num_chunk_bytes());
}

}  // namespace
}  // namespace bitpilot
