#include "experiments/reliability/kill_campaign.h"

#include <signal.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/fleet/keys.h"
#include "agent/study/study.h"
#include "device_daemon/server/keys.h"
#include "experiments/reliability/child_process.h"
#include "experiments/reliability/measured_study.h"
#include "experiments/reliability/measuring_agent.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::chrono::minutes kPatience{2};
constexpr int kLongestWaitMs = 400;

// What lies in a campaign's folder.
struct Files {
  std::string folder;

  std::string DaemonKeys() const { return folder + "/board"; }
  std::string AgentKeysFolder() const { return folder + "/agent"; }
  std::string Study() const { return folder + "/study.db"; }
  std::string Ready() const { return folder + "/ready.json"; }
  std::string Rounds() const { return folder + "/rounds.jsonl"; }
  std::string AgentLog() const { return folder + "/agent.log"; }
  // One for each life of the daemon: 1, 2, ...
  std::string DaemonLog(int life) const {
    return folder + "/bitpilotd-" + std::to_string(life) + ".jsonl";
  }
};

std::vector<Json> ReadLines(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    Json line = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (line.is_object()) lines.push_back(std::move(line));  // the last one may be cut off
  }
  return lines;
}

// Attempts of a measurement that are looked for.
constexpr int kMostAttempts = 16;

std::vector<std::string> IdsOf(const std::string& log, const std::string& event) {
  std::vector<std::string> ids;
  for (const Json& line : ReadLines(log)) {
    if (line.value("event", "") == event) ids.push_back(line.at("measure_id"));
  }
  return ids;
}

// What a daemon's log of one life says of its executions.
class Executions {
 public:
  // Why it should not have begun now; empty if it should, or if it failed before and the board was told
  // to forget that.
  std::string Begin(const std::string& id) {
    const auto [known, is_new] = seen_.try_emplace(id);
    const One before = std::exchange(known->second, One());
    if (is_new) return {};
    if (before.status.empty()) return "executed again while it ran: " + id;
    const bool has_numbers = before.status == "OK" || before.status == "NOISY";
    if (has_numbers || !before.is_forgotten) {
      return "executed again though its result was known: " + id;
    }
    ++repeated_;
    return {};
  }
  void End(const std::string& id, const std::string& status) { seen_[id].status = status; }
  void Acknowledge(const std::string& id) { seen_[id].is_forgotten = true; }

  std::size_t repeated() const { return repeated_; }

 private:
  struct One {
    std::string status;  // empty while it runs
    bool is_forgotten = false;
  };
  std::map<std::string, One> seen_;
  std::size_t repeated_ = 0;
};

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

  KillReport Report() const;

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
    std::this_thread::sleep_for(milliseconds(random() % kLongestWaitMs));
    const std::array<const char*, 3> names{"agent", "daemon", "worker"};
    const char* victim = names[random() % names.size()];
    if (victim == names[0]) {
      agent_.Kill();
      BITPILOT_RETURN_IF_ERROR(StartAgent());
    } else if (victim == names[1]) {
      daemon_.Kill();
      BITPILOT_RETURN_IF_ERROR(StartDaemon());
    } else {
      pid_t worker = 0;
      BITPILOT_RETURN_IF_ERROR(
          WaitUntil([&] { return (worker = daemon_.ChildWith("worker")) > 0; },
                    "bitpilotd has no worker; its log is " + files_.DaemonLog(lives_)));
      kill(worker, SIGKILL);
    }
    std::ofstream(files_.Rounds(), std::ios::app)
        << Json{{"round", round}, {"killed", victim}}.dump() << std::endl;
    say_("round " + std::to_string(round + 1) + ": killed the " + victim);
    return {};
  }

  // Until the daemon begins one more measurement than at the last call.
  Status WaitForWork() {
    if (std::exchange(begun_in_life_, lives_) != lives_) begun_ = 0;
    std::size_t begun = 0;
    BITPILOT_RETURN_IF_ERROR(WaitUntil(
        [&] {
          begun = IdsOf(files_.DaemonLog(lives_), "measurement_started").size();
          return begun > begun_;
        },
        "nothing is measured any more; the logs are " + files_.AgentLog() + " and " +
            files_.DaemonLog(lives_)));
    begun_ = begun;
    return {};
  }

  Status WaitUntil(const std::function<bool()>& done, const std::string& failure) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) {
        return Status(StatusCode::kUnavailable, failure);
      }
      if (agent_.pid() != 0 && !agent_.IsRunning()) {
        return Status(StatusCode::kUnavailable,
                      "the agent ended by itself; its log is " + files_.AgentLog());
      }
      std::this_thread::sleep_for(milliseconds{5});
    }
    return {};
  }

  const KillOptions options_;
  const std::function<void(const std::string&)>& say_;
  const Files files_;
  ChildProcess daemon_;
  ChildProcess agent_;
  int lives_ = 0;  // of the daemon
  int begun_in_life_ = 0;
  std::size_t begun_ = 0;  // measurements, in that life
};

KillReport Campaign::Report() const {
  KillReport report;
  const auto object = [&](const std::string& violation) { report.violations.push_back(violation); };
  for (const Json& line : ReadLines(files_.Rounds())) {
    const std::string killed = line.at("killed");
    ++(killed == "agent" ? report.agents : killed == "daemon" ? report.daemons : report.workers);
  }
  const Result<std::optional<LogProblem>> problem = VerifyLog(files_.Study());
  if (!problem.ok()) {
    object("the study cannot be read: " + problem.status().message());
    return report;
  }
  if (*problem) object("the study does not verify: " + (*problem)->what);

  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(files_.Study());
  const std::vector<MeasurementRow> rows = (*study)->Measurements().value();
  std::set<std::string> recorded;
  std::set<std::string> finished;  // announcements
  for (const MeasurementRow& row : rows) {
    if (!recorded.insert(row.measurement_id).second || !finished.insert(row.candidate_id).second) {
      object("recorded twice: " + row.measurement_id);
    }
  }
  report.recorded = rows.size();
  const std::vector<Event> events = (*study)->Events().value();
  std::vector<std::string> announced;
  for (const Event& event : events) {
    if (event.kind != MeasuredStudy::kAnnouncedKind) continue;
    announced.push_back(Json::parse(event.payload).at("id"));
  }
  for (std::size_t i = 0; i + 1 < announced.size(); ++i) {
    if (!finished.contains(announced[i])) object("announced and never recorded: " + announced[i]);
  }

  std::map<std::string, std::string> announced_as;
  for (const std::string& id : announced) {
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      announced_as[IdOfAttempt(id, attempt)] = id;
    }
  }
  std::set<std::string> failed;  // their attempts may be forgotten: another one follows
  for (int life = 1; life <= lives_; ++life) {
    for (const Json& line : ReadLines(files_.DaemonLog(life))) {
      if (line.value("event", "") != "measurement_finished") continue;
      ++report.executed;
      if (line.at("status") != "OK" && line.at("status") != "NOISY") {
        failed.insert(line.at("measure_id").get<std::string>());
      }
    }
  }
  for (int life = 1; life <= lives_; ++life) {
    Executions executions;
    for (const Json& line : ReadLines(files_.DaemonLog(life))) {
      const std::string event = line.value("event", "");
      const std::string id = line.value("measure_id", "");
      if (event == "measurement_finished") executions.End(id, line.at("status"));
      if (event == "result_acknowledged") executions.Acknowledge(id);
      if (event != "measurement_started") continue;
      const std::string violation = executions.Begin(id);
      if (!violation.empty()) object(violation);
    }
    report.repeated += executions.repeated();
    for (const std::string& id : IdsOf(files_.DaemonLog(life), "result_acknowledged")) {
      if (failed.contains(id)) continue;
      ++report.acknowledged;
      const auto found = announced_as.find(id);
      if (found == announced_as.end() || !finished.contains(found->second)) {
        object("acknowledged and not recorded: " + id);
      }
    }
  }
  return report;
}

}  // namespace

Result<KillReport> RunKillCampaign(const KillOptions& options,
                                   const std::function<void(const std::string&)>& say) {
  Campaign campaign(options, say);
  BITPILOT_RETURN_IF_ERROR(campaign.Run());
  return campaign.Report();
}

Status RunCampaignAgent(const std::string& folder) {
  const Files files{folder};
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
