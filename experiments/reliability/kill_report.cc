#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/study/study.h"
#include "experiments/reliability/campaign_files.h"
#include "experiments/reliability/measured_study.h"
#include "experiments/reliability/measuring_agent.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// Attempts of a measurement that are looked for.
constexpr int kMostAttempts = 16;

bool HasNumbers(const std::string& status) { return status == "OK" || status == "NOISY"; }

// What a daemon's log of one life says of its executions. A result that no agent has fetched may be lost with
// the daemon, until that has written it to its disk, which logs do not tell: it may run again in another life.
class Executions {
 public:
  // Why it should not have begun now; empty if it should, or if it failed before and the board was told
  // to forget that.
  std::string Begin(const std::string& id) {
    const auto [known, is_new] = seen_.try_emplace(id);
    const One before = std::exchange(known->second, One());
    if (is_new) return {};
    if (before.status.empty()) return "executed again while it ran: " + id;
    if (HasNumbers(before.status) || !before.is_forgotten) {
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

}  // namespace

KillReport ReportOf(const CampaignFiles& files, int lives) {
  KillReport report;
  const auto object = [&](const std::string& violation) { report.violations.push_back(violation); };
  for (const Json& line : ReadLines(files.Rounds())) {
    const std::string killed = line.at("killed");
    ++(killed == "agent" ? report.agents : killed == "daemon" ? report.daemons : report.workers);
    const std::string moment = line.value("moment", "");
    if (moment == kBeforeRecord) ++report.before_record;
    if (moment == kBeforeAcknowledgement) ++report.before_acknowledgement;
  }
  const Result<std::optional<LogProblem>> problem = VerifyLog(files.Study());
  if (!problem.ok()) {
    object("the study cannot be read: " + problem.status().message());
    return report;
  }
  if (*problem) object("the study does not verify: " + (*problem)->what);

  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(files.Study());
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
  std::map<std::string, std::string>
      statuses;                // of each id's last execution so far, in whatever life
  std::set<std::string> done;  // acknowledged with numbers, in whatever life
  for (int life = 1; life <= lives; ++life) {
    Executions executions;
    for (const Json& line : ReadLines(files.DaemonLog(life))) {
      const std::string event = line.value("event", "");
      const std::string id = line.value("measure_id", "");
      if (event == "measurement_finished") {
        ++report.executed;
        statuses[id] = line.at("status");
        executions.End(id, line.at("status"));
      } else if (event == "measurement_started") {
        const std::string violation = executions.Begin(id);
        if (!violation.empty()) {
          object(violation);
        } else if (done.contains(id)) {
          object("executed again though it was acknowledged: " + id);
        }
      } else if (event == "result_acknowledged") {
        executions.Acknowledge(id);
        // One that failed may be forgotten: another attempt follows.
        const auto status = statuses.find(id);
        if (status != statuses.end() && !HasNumbers(status->second)) continue;
        ++report.acknowledged;
        done.insert(id);
        const auto found = announced_as.find(id);
        if (found == announced_as.end() || !finished.contains(found->second)) {
          object("acknowledged and not recorded: " + id);
        }
      }
    }
    report.repeated += executions.repeated();
  }
  return report;
}

}  // namespace bitpilot
