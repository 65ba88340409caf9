// The soak bar: README.md says what for and how to call it.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/zmq_link.h"
#include "device_daemon/server/keys.h"
#include "experiments/reliability/child_process.h"
#include "experiments/reliability/hostile_crowd.h"
#include "experiments/reliability/measuring_agent.h"
#include "experiments/reliability/process_usage.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kBoards = 2;
constexpr std::chrono::seconds kSamplePause{30};

struct SoakOptions {
  std::string folder;
  std::string bitpilotd;
  std::string proxy;
  std::string cost_table = "tests/loopback/toy.cost";
  double minutes = 120.0;
  std::uint64_t seed = 1;
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What `path` holds once it has a whole line; empty after a minute.
std::string WaitForLine(const std::string& path) {
  for (int i = 0; i < 6'000; ++i) {
    const std::string text = ReadAll(path);
    if (text.find('\n') != std::string::npos) return text.substr(0, text.find('\n'));
    std::this_thread::sleep_for(milliseconds{10});
  }
  return "";
}

// A daemon behind a bad network.
struct SoakedBoard {
  ChildProcess daemon;
  ChildProcess proxy;
  BoardAddress direct;  // for the crowd
};

Status StartBoard(const SoakOptions& options, int number, const AgentKeys& agent,
                  SoakedBoard& board, BoardAddress* through_proxy) {
  const std::string folder = options.folder + "/board-" + std::to_string(number);
  std::filesystem::remove_all(folder);
  const Result<CurveKeys> keys = GenerateDaemonKeys(folder, /*force=*/true);
  if (!keys.ok()) return keys.status();
  BITPILOT_RETURN_IF_ERROR(
      WriteFileAtomically(AuthorizedAgentsPath(folder), "agent " + agent.public_key + "\n", 0600));
  BITPILOT_RETURN_IF_ERROR(
      board.daemon.Start({options.bitpilotd, "serve", "--listen", "tcp://127.0.0.1:0", "--keys",
                          folder, "--backend", "model:" + options.cost_table, "--json"},
                         folder + "/ready", folder + "/log"));
  const nlohmann::json ready =
      nlohmann::json::parse(WaitForLine(folder + "/ready"), nullptr, false);
  if (!ready.is_object()) {
    return Status(StatusCode::kUnavailable,
                  "bitpilotd is not ready; its log is " + folder + "/log");
  }
  board.direct =
      BoardAddress{"board " + std::to_string(number), ready["endpoint"], ready["public_key"], ""};
  BITPILOT_RETURN_IF_ERROR(
      board.proxy.Start({options.proxy, board.direct.endpoint,
                         std::to_string(options.seed * 100 + static_cast<std::uint64_t>(number))},
                        folder + "/proxy", folder + "/log"));
  *through_proxy = board.direct;
  through_proxy->endpoint = WaitForLine(folder + "/proxy");
  if (!through_proxy->endpoint.empty()) return {};
  return Status(StatusCode::kUnavailable, options.proxy + " does not say where it listens");
}

class Soak {
 public:
  explicit Soak(const SoakOptions& options) : options_(options), random_(options.seed) {}

  Status Run() {
    std::filesystem::create_directories(options_.folder);
    const std::string table = options_.folder + "/soak.tsv";
    const int before = NumLines(table);
    if (before == 0) {
      Append(table,
             "segment\tseconds\tmeasured\tfailed\tagent_rss\tagent_fds\tdaemon_rss\t"
             "daemon_fds\tzombies");
    }
    // A call that was stopped is made up for: its rows are of another segment.
    const double left_s = options_.minutes * 60.0 - std::max(0, before - 1) * 30.0;
    const int segment = before;
    for (int i = 0; i < kBoards; ++i) BITPILOT_RETURN_IF_ERROR(AddBoard(i));
    const auto begin = steady_clock::now();
    auto sample_at = begin + kSamplePause;
    auto fault_at = begin + std::chrono::seconds{10};
    std::vector<JobId> jobs;
    while (std::chrono::duration<double>(steady_clock::now() - begin).count() < left_s) {
      while (jobs.size() < 2 * kBoards) jobs.push_back(Submit());
      WaitFor(jobs.front());
      jobs.erase(jobs.begin());
      if (steady_clock::now() >= fault_at) {
        MakeFault();
        fault_at = steady_clock::now() + milliseconds(5'000 + random_() % 20'000);
      }
      if (steady_clock::now() >= sample_at) {
        sample_at += kSamplePause;
        Append(table, std::to_string(segment) + "\t" + Sample(begin));
      }
      for (const auto& board : boards_) {
        if (!board->daemon.IsRunning()) {
          return Status(StatusCode::kInternal, board->direct.name + ": bitpilotd ended by itself");
        }
      }
    }
    return {};
  }

 private:
  // Workers are killed over and over, which says nothing of their boards.
  static fleet::FleetOptions Options() {
    fleet::FleetOptions options;
    options.quarantine_after = 0;
    return options;
  }
  static int NumLines(const std::string& path) {
    const std::string text = ReadAll(path);
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }
  static void Append(const std::string& path, const std::string& line) {
    std::ofstream(path, std::ios::app) << line << std::endl;
    std::fprintf(stderr, "%s\n", line.c_str());
  }

  Status AddBoard(int number) {
    boards_.push_back(std::make_unique<SoakedBoard>());
    BoardAddress address;
    BITPILOT_RETURN_IF_ERROR(StartBoard(options_, number, keys_, *boards_.back(), &address));
    FleetBoard board;
    board.client.board_name = address.name;
    board.client.endpoint = address.endpoint;
    board.client.connect_timeout = board.client.reconnect_timeout = kForever;
    board.client.lease_wait = kForever;
    board.tags = {"soaked"};
    board.keys = keys_;
    board.address = address;
    fleet_.AddBoard(std::move(board));
    return {};
  }

  JobId Submit() {
    const Network network = NumberedNetwork(++last_network_);
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, NewMeasureId()).value();
    spec.class_tag = "soaked";
    return fleet_.Submit(std::move(spec));
  }

  void WaitFor(JobId id) {
    const Result<fleet::JobEnded> ended = fleet_.Wait(id, {});
    const bool has_numbers =
        ended.ok() && ended->result.status.ok() && HasNumbers(ended->result.measurement.status);
    ++(has_numbers ? measured_ : failed_);
    if (ended.ok()) fleet_.Record(*ended);
  }

  // Beside what the proxies do all the time.
  void MakeFault() {
    SoakedBoard& board = *boards_[random_() % boards_.size()];
    switch (random_() % 4) {
      case 0: {
        const pid_t worker = board.daemon.ChildWith("worker");
        if (worker > 0) kill(worker, SIGKILL);
        break;
      }
      case 1:  // hangs for longer than its agent has patience
        kill(board.daemon.pid(), SIGSTOP);
        std::this_thread::sleep_for(milliseconds(random_() % 6'000));
        kill(board.daemon.pid(), SIGCONT);
        break;
      case 2:
        crowd_ = std::make_unique<HostileCrowd>(board.direct, 200, std::chrono::seconds{2});
        break;
      default:
        kill(board.daemon.pid(), SIGHUP);
    }
  }

  std::string Sample(steady_clock::time_point begin) const {
    std::size_t rss = 0;
    std::size_t descriptors = 0;
    std::size_t zombies = NumZombies(getpid());
    for (const auto& board : boards_) {
      rss += ResidentBytes(board->daemon.pid());
      descriptors += NumDescriptors(board->daemon.pid());
      zombies += NumZombies(board->daemon.pid());
    }
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(steady_clock::now() - begin);
    std::string row = std::to_string(seconds.count());
    for (const std::size_t value : {measured_, failed_, ResidentBytes(getpid()),
                                    NumDescriptors(getpid()), rss, descriptors, zombies}) {
      row += "\t" + std::to_string(value);
    }
    return row;
  }

  const SoakOptions options_;
  const AgentKeys keys_ = GenerateCurveKeys();
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<SoakedBoard>> boards_;
  std::unique_ptr<HostileCrowd> crowd_;
  FleetDriver fleet_{Options(), {}};
  std::uint64_t last_network_ = 0;
  std::size_t measured_ = 0;
  std::size_t failed_ = 0;
};

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  using namespace bitpilot;
  SoakOptions options;
  CLI::App app("Two boards behind bad networks, for hours: what grows?");
  app.add_option("--folder", options.folder, "Of all that it writes")->required();
  app.add_option("--bitpilotd", options.bitpilotd, "The program")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--proxy", options.proxy, "chaos-proxy, a program of tests/faults")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--table", options.cost_table, "The boards' numbers")
      ->check(CLI::ExistingFile)
      ->capture_default_str();
  app.add_option("--minutes", options.minutes, "Of all calls together")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the faults")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const Status status = Soak(options).Run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "soak: %s\n", status.message().c_str());
  return 1;
}
