#include "experiments/reliability/kill_campaign.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/fleet/keys.h"
#include "agent/study/study.h"
#include "device_daemon/server/keys.h"
#include "experiments/reliability/campaign_files.h"
#include "experiments/reliability/child_process.h"
#include "experiments/reliability/measurement_log.h"
#include "experiments/reliability/measuring_agent.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::chrono::minutes kPatience{2};
constexpr int kLongestWaitMs = 400;
// From a result to its acknowledgement an agent needs a few commits.
constexpr int kLongestHandoverMs = 8;
// Results that an aimed kill may wait for.
constexpr int kMostTries = 20;

class Campaign {
 public:
  Campaign(const KillOptions& options, const std::function<void(const std::string&)>& say)
      : options_(options), say_(say), files_{options.folder} {}

  Status Run() {
    BITPILOT_RETURN_IF_ERROR(Prepare());
    BITPILOT_RETURN_IF_ERROR(StartDaemon());
    BITPILOT_RETURN_IF_ERROR(StartAgent());
    for (int round = static_cast<int>(ReadLines(files_.Rounds()).size()); round < options_.rounds;
         ++round) {
      BITPILOT_RETURN_IF_ERROR(RunRound(round));
    }
    BITPILOT_RETURN_IF_ERROR(WaitForWork());  // what was lost would have to come back now
    agent_.Kill();
    daemon_.Kill();
    return {};
  }

  KillReport Report() const { return ReportOf(files_, lives_); }

 private:
  Status Prepare() {
    fs::create_directories(files_.folder);
    while (fs::exists(files_.DaemonLog(lives_ + 1))) ++lives_;
    if (fs::exists(files_.AgentKeysFolder())) return {};
    const Result<CurveKeys> daemon = GenerateDaemonKeys(files_.DaemonKeys(), /*force=*/true);
    if (!daemon.ok()) return daemon.status();
    const Result<AgentKeys> agent = CreateAgentKeys(files_.AgentKeysFolder(), /*overwrite=*/true);
    if (!agent.ok()) return agent.status();
    return WriteFileAtomically(AuthorizedAgentsPath(files_.DaemonKeys()),
                               "agent " + agent->public_key + "\n", 0600);
  }

  // At the same port in all its lives, as a board has it.
  Status StartDaemon() {
    std::string endpoint = "tcp://127.0.0.1:0";
    for (const Json& line : ReadLines(files_.Ready())) endpoint = line.at("endpoint");
    const std::size_t lines = ReadLines(files_.Ready()).size();
    BITPILOT_RETURN_IF_ERROR(daemon_.Start(
        {options_.bitpilotd, "serve", "--listen", endpoint, "--keys", files_.DaemonKeys(),
         "--backend", "model:" + options_.cost_table, "--json", "--log-format", "json"},
        files_.Ready(), files_.DaemonLog(++lives_)));
    log_ = MeasurementLog(files_.DaemonLog(lives_));
    begun_ = 0;
    return WaitUntil([&] { return ReadLines(files_.Ready()).size() > lines; },
                     "bitpilotd is not ready; its log is " + files_.DaemonLog(lives_));
  }

  Status StartAgent() {
    return agent_.Start({options_.agent, "agent", files_.folder}, files_.AgentLog(),
                        files_.AgentLog());
  }

  Status RunRound(int round) {
    std::mt19937_64 random(options_.seed * 1'000'003 + static_cast<std::uint64_t>(round));
    BITPILOT_RETURN_IF_ERROR(WaitForWork());
    const std::array<const char*, 3> names{"agent", "daemon", "worker"};
    const char* victim = names[random() % names.size()];
    const bool is_aimed = victim != names[2] && random() % 3 != 0;
    if (is_aimed) {
      BITPILOT_RETURN_IF_ERROR(
          StopBetweenResultAndAcknowledgement(victim == names[0] ? agent_ : daemon_, random));
    } else {
      std::this_thread::sleep_for(milliseconds(random() % kLongestWaitMs));
    }
    std::string moment;
    if (victim == names[0]) {
      agent_.Kill();
      moment = MomentOfDeath();
      BITPILOT_RETURN_IF_ERROR(StartAgent());
    } else if (victim == names[1]) {
      daemon_.Kill();
      moment = MomentOfDeath();
      BITPILOT_RETURN_IF_ERROR(StartDaemon());
    } else {
      pid_t worker = 0;
      BITPILOT_RETURN_IF_ERROR(
          WaitUntil([&] { return (worker = daemon_.ChildWith("worker")) > 0; },
                    "bitpilotd has no worker; its log is " + files_.DaemonLog(lives_)));
      kill(worker, SIGKILL);
    }
    std::ofstream(files_.Rounds(), std::ios::app)
        << Json{{"round", round}, {"killed", victim}, {"aimed", is_aimed}, {"moment", moment}}
               .dump()
        << std::endl;
    say_("round " + std::to_string(round + 1) + ": killed the " + victim +
         (moment.empty() ? "" : ", " + moment));
    return {};
  }

  // Stops (SIGSTOP) a program of a campaign while a result is on its way into the study, or back to the
  // board as acknowledged: at once or a few milliseconds later. A result that was handed over meanwhile
  // is let go, and the next one waited for.
  Status StopBetweenResultAndAcknowledgement(const ChildProcess& victim, std::mt19937_64& random) {
    for (int tries = 0; tries < kMostTries; ++tries) {
      const std::size_t finished = log_.finished();
      BITPILOT_RETURN_IF_ERROR(WaitUntil(
          [&] {
            log_.Read();
            return log_.finished() > finished;
          },
          "no measurement ends; the logs are " + files_.AgentLog() + " and " +
              files_.DaemonLog(lives_),
          std::chrono::microseconds{200}));
      std::this_thread::sleep_for(milliseconds(random() % (kLongestHandoverMs + 1)));
      kill(victim.pid(), SIGSTOP);
      if (!MomentOfDeath().empty()) return {};
      kill(victim.pid(), SIGCONT);
    }
    return {};
  }

  // Of a program that is stopped or dead: kBeforeRecord or kBeforeAcknowledgement; empty if no result is
  // under way.
  std::string MomentOfDeath() {
    std::this_thread::sleep_for(milliseconds{20});  // what was said before it is written by then
    log_.Read();
    if (log_.unacknowledged().empty()) return {};
    const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(files_.Study());
    if (!study.ok()) return {};
    const Result<std::vector<MeasurementRow>> rows = (*study)->Measurements();
    if (!rows.ok()) return {};
    const bool are_all_recorded = std::all_of(
        log_.unacknowledged().begin(), log_.unacknowledged().end(), [&](const std::string& id) {
          return std::any_of(rows->begin(), rows->end(),
                             [&](const auto& row) { return row.measurement_id == id; });
        });
    return are_all_recorded ? kBeforeAcknowledgement : kBeforeRecord;
  }

  // Until the daemon begins one more measurement than at the last call.
  Status WaitForWork() {
    BITPILOT_RETURN_IF_ERROR(WaitUntil(
        [&] {
          log_.Read();
          return log_.begun() > begun_;
        },
        "nothing is measured any more; the logs are " + files_.AgentLog() + " and " +
            files_.DaemonLog(lives_)));
    begun_ = log_.begun();
    return {};
  }

  Status WaitUntil(const std::function<bool()>& done, const std::string& failure,
                   std::chrono::microseconds pause = milliseconds{5}) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) {
        return Status(StatusCode::kUnavailable, failure);
      }
      if (agent_.pid() != 0 && !agent_.IsRunning()) {
        return Status(StatusCode::kUnavailable,
                      "the agent ended by itself; its log is " + files_.AgentLog());
      }
      std::this_thread::sleep_for(pause);
    }
    return {};
  }

  const KillOptions options_;
  const std::function<void(const std::string&)>& say_;
  const CampaignFiles files_;
  ChildProcess daemon_;
  ChildProcess agent_;
  int lives_ = 0;           // of the daemon
  MeasurementLog log_{""};  // of the daemon's present life
  std::size_t begun_ = 0;   // of its measurements, those that were waited for
};

}  // namespace

Result<KillReport> RunKillCampaign(const KillOptions& options,
                                   const std::function<void(const std::string&)>& say) {
  Campaign campaign(options, say);
  BITPILOT_RETURN_IF_ERROR(campaign.Run());
  return campaign.Report();
}

Status RunCampaignAgent(const std::string& folder) {
  const CampaignFiles files{folder};
  const Result<AgentKeys> keys = ReadAgentKeys(files.AgentKeysFolder());
  if (!keys.ok()) return keys.status();
  const std::vector<Json> ready = ReadLines(files.Ready());
  if (ready.empty()) {
    return Status(StatusCode::kNotFound, files.Ready() + ": no board has told where it is");
  }
  MeasuringAgentOptions options;
  options.study = files.Study();
  options.keys = *keys;
  options.board =
      BoardAddress{"the board", ready.back().at("endpoint"), ready.back().at("public_key"), ""};
  return RunMeasuringAgent(options);
}

}  // namespace bitpilot
