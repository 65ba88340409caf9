#include "experiments/reliability/pressure_run.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

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

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

Result<BoardAddress> StartDaemon(const PressureOptions& options, const AgentKeys& agent,
                                 ChildProcess& daemon) {
  fs::create_directories(options.folder);
  const std::string keys = options.folder + "/keys";
  const Result<CurveKeys> made = GenerateDaemonKeys(keys, /*force=*/true);
  if (!made.ok()) return made.status();
  BITPILOT_RETURN_IF_ERROR(
      WriteFileAtomically(AuthorizedAgentsPath(keys), "agent " + agent.public_key + "\n", 0600));
  const std::string ready = options.folder + "/ready.json";
  const std::string log = options.folder + "/bitpilotd.log";
  fs::remove(ready);
  BITPILOT_RETURN_IF_ERROR(
      daemon.Start({options.bitpilotd, "serve", "--listen", "tcp://127.0.0.1:0", "--keys", keys,
                    "--backend", "model:" + options.cost_table, "--json"},
                   ready, log));
  for (int i = 0; i < 6'000 && daemon.IsRunning(); ++i) {
    std::ifstream file(ready);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object()) return BoardAddress{"besieged", line["endpoint"], line["public_key"], ""};
    std::this_thread::sleep_for(milliseconds{10});
  }
  return Status(StatusCode::kUnavailable, "bitpilotd does not get ready; its log is " + log);
}

class Measurer {
 public:
  Measurer(const BoardAddress& address, const AgentKeys& keys) {
    FleetBoard board;
    board.client.board_name = address.name;
    board.client.endpoint = address.endpoint;
    board.client.connect_timeout = board.client.reconnect_timeout = kForever;
    board.client.lease_wait = kForever;
    board.keys = keys;
    board.address = address;
    board_ = fleet_.AddBoard(std::move(board));
  }

  void MeasureOnce(PressureReport& report) {
    const Network network = NumberedNetwork(++number_);
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, NewMeasureId()).value();
    spec.only_on = board_;
    const auto begin = steady_clock::now();
    const Result<fleet::JobEnded> ended = fleet_.Wait(fleet_.Submit(std::move(spec)), {});
    const bool has_numbers =
        ended.ok() && ended->result.status.ok() && HasNumbers(ended->result.measurement.status);
    ++(has_numbers ? report.measurements : report.failures);
    if (ended.ok()) fleet_.Record(*ended);
    const std::chrono::duration<double, std::milli> taken = steady_clock::now() - begin;
    report.slowest_ms = std::max(report.slowest_ms, taken.count());
  }

 private:
  FleetDriver fleet_{{}, {}};
  fleet::BoardId board_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace

Result<PressureReport> RunPressure(const PressureOptions& options) {
  const AgentKeys agent = GenerateCurveKeys();
  ChildProcess daemon;
  const Result<BoardAddress> address = StartDaemon(options, agent, daemon);
  if (!address.ok()) return address.status();
  PressureReport report;
  Measurer measurer(*address, agent);
  // What every agent costs is no pressure.
  for (int i = 0; i < 3; ++i) measurer.MeasureOnce(report);
  report.bytes_before = ResidentBytes(daemon.pid());
  report.descriptors_before = NumDescriptors(daemon.pid());
  report.measurements = 0;
  {
    HostileCrowd crowd(*address, options.connections, options.duration);
    while (!crowd.has_finished() && daemon.IsRunning()) measurer.MeasureOnce(report);
    report.connections = crowd.num_connected();
    report.let_in = crowd.num_let_in();
  }
  std::this_thread::sleep_for(options.calm);
  measurer.MeasureOnce(report);
  report.bytes_after = ResidentBytes(daemon.pid());
  report.descriptors_after = NumDescriptors(daemon.pid());
  if (!daemon.IsRunning()) {
    return Status(StatusCode::kInternal,
                  "bitpilotd ended; its log is " + options.folder + "/bitpilotd.log");
  }
  return report;
}

}  // namespace bitpilot
