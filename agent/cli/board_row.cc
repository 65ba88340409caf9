#include "agent/cli/board_row.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "agent/fleet/quarantine_reason.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr char kNothing[] = "-";
// Beyond it, what cpufreq claims of the clock is said beside what was measured.
constexpr double kClockTolerance = 0.02;

std::string Fixed(double value, int digits, const char* unit) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f%s", digits, value, unit);
  return text;
}

// "12 s", "3 min", "5 h"
std::string AgeText(milliseconds time) {
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  const std::int64_t seconds = time.count() / 1000;
  if (seconds < 2 * kMinute) return std::to_string(seconds) + " s";
  if (seconds < 2 * kHour) return std::to_string(seconds / kMinute) + " min";
  return std::to_string(seconds / kHour) + " h";
}

bool HasNumbers(v1::MeasureStatus status) { return status == v1::OK || status == v1::NOISY; }

struct CountedMeasurements {
  std::uint64_t all = 0;
  std::uint64_t errors = 0;  // without numbers
};

CountedMeasurements CountMeasured(const v1::BoardStatus& board) {
  CountedMeasurements measured;
  for (const v1::StatusCount& one : board.finished()) {
    measured.all += one.count();
    if (!HasNumbers(one.status())) measured.errors += one.count();
  }
  return measured;
}

std::string HolderText(const v1::BoardStatus& board) {
  if (board.holder().empty()) return kNothing;
  return board.holder() + (board.reserved() ? " (reserved)" : "");
}

std::string ClockText(const v1::BoardStatus& board) {
  if (!board.has_clock_mhz()) return kNothing;
  const double measured = board.clock_mhz();
  const bool differs = board.has_claimed_clock_mhz() &&
                       std::abs(board.claimed_clock_mhz() - measured) > kClockTolerance * measured;
  if (!differs) return Fixed(measured, 0, " MHz");
  return Fixed(measured, 0, "") + " of " + Fixed(board.claimed_clock_mhz(), 0, " MHz");
}

// Of the latest measurement against the beginning of its lease.
std::string CanaryText(const v1::BoardStatus& board) {
  if (!board.has_canary_ns()) return kNothing;
  std::string text = Fixed(board.canary_ns() * 1e-3, 1, " us");
  if (!board.has_canary_lease_ns() || board.canary_lease_ns() <= 0.0) return text;
  char change[32];
  std::snprintf(change, sizeof change, " %+.1f %%",
                100.0 * (board.canary_ns() / board.canary_lease_ns() - 1.0));
  return text + change;
}

std::string NoteText(const BoardView& view) {
  if (!view.status.ok()) return view.status.message();
  if (!view.board) return "an older bitpilotd, which does not tell: update it";
  if (view.board->draining()) return view.board->drain_reason();
  return view.board->kept_results_problem();
}

Json QueueJson(const v1::BoardStatus& board) {
  Json queue = Json::array();
  for (const v1::QueueEntry& entry : board.queue()) {
    queue.push_back({{"kind", v1::QueueEntry::Kind_Name(entry.kind())},
                     {"holder", entry.holder()},
                     {"priority", entry.priority()},
                     {"waits_ms", entry.waits_ms()}});
  }
  return queue;
}

void AddStatus(const v1::BoardStatus& board, Json& object) {
  object["holder"] = board.holder().empty() ? Json(nullptr) : Json(board.holder());
  object["reserved"] = board.reserved();
  object["queue"] = QueueJson(board);
  object["draining"] = board.draining();
  object["quarantined"] = IsQuarantined(board);
  if (board.draining()) object["drain_reason"] = board.drain_reason();
  object["uptime_ms"] = board.uptime_ms();
  const CountedMeasurements measured = CountMeasured(board);
  object["measurements"] = measured.all;
  object["errors"] = measured.errors;
  object["finished"] = Json::object();
  for (const v1::StatusCount& one : board.finished()) {
    object["finished"][v1::MeasureStatus_Name(one.status())] = one.count();
  }
  object["kept_results"] = board.kept_results();
  if (!board.kept_results_problem().empty()) {
    object["kept_results_problem"] = board.kept_results_problem();
  }
  if (board.has_temperature_celsius()) object["temperature_celsius"] = board.temperature_celsius();
  if (board.has_clock_mhz()) object["clock_mhz"] = board.clock_mhz();
  if (board.has_claimed_clock_mhz()) object["claimed_clock_mhz"] = board.claimed_clock_mhz();
  if (board.has_canary_ns()) object["canary_ns"] = board.canary_ns();
  if (board.has_canary_lease_ns()) object["canary_lease_ns"] = board.canary_lease_ns();
  if (board.has_conditions_age_ms()) object["conditions_age_ms"] = board.conditions_age_ms();
}

}  // namespace

std::string BoardStateWord(const BoardView& view) {
  if (!view.status.ok()) {
    return view.status.code() == StatusCode::kPermissionDenied ? "REFUSED" : "AWAY";
  }
  if (!view.board) return "UNKNOWN";
  return IsQuarantined(*view.board) && view.board->state() == "DRAINING" ? "QUARANTINED"
                                                                         : view.board->state();
}

std::string ShortBuild(const std::string& build) { return build.substr(0, 12); }

std::string BackendText(const BoardInfo& board) {
  return board.is_model() ? "MODEL, " + board.backend : board.backend;
}

std::vector<std::string> BoardRowHead() {
  return {"board",       "state", "holder", "queue",  "class",  "kernels", "backend",
          "temperature", "clock", "seen",   "errors", "canary", "note"};
}

std::vector<std::string> BoardRow(const BoardAddress& address, const BoardView& view,
                                  std::optional<milliseconds> seen_ago) {
  const std::string classes = address.tags.empty() ? kNothing : Joined(address.tags);
  const std::string kernels = view.info ? view.info->isa + " " + ShortBuild(view.info->kernel_build)
                                        : std::string(kNothing);
  const std::string backend = view.info ? BackendText(*view.info) : std::string(kNothing);
  const std::string seen = seen_ago ? AgeText(*seen_ago) : std::string(kNothing);
  if (!view.board) {
    return {address.name,  BoardStateWord(view),
            kNothing,      kNothing,
            classes,       kernels,
            backend,       kNothing,
            kNothing,      seen,
            kNothing,      kNothing,
            NoteText(view)};
  }
  const v1::BoardStatus& board = *view.board;
  const CountedMeasurements measured = CountMeasured(board);
  return {address.name,
          BoardStateWord(view),
          HolderText(board),
          std::to_string(board.queue_size()),
          classes,
          kernels,
          backend,
          board.has_temperature_celsius() ? Fixed(board.temperature_celsius(), 1, " C") : kNothing,
          ClockText(board),
          seen,
          std::to_string(measured.errors) + " of " + std::to_string(measured.all),
          CanaryText(board),
          NoteText(view)};
}

Json ListedBoardJson(const BoardAddress& address) {
  return {{"name", address.name},           {"endpoint", address.endpoint},
          {"connects", address.connects},   {"public_key", address.public_key},
          {"listed_at", address.listed_at}, {"tags", address.tags}};
}

Json BoardJson(const BoardAddress& address, const BoardView& view,
               std::optional<milliseconds> seen_ago) {
  Json object = ListedBoardJson(address);
  object["ok"] = view.status.ok();
  object["error"] = view.status.ok() ? Json(nullptr) : Json(view.status.message());
  object["state"] = BoardStateWord(view);
  object["seen_ms_ago"] = seen_ago ? Json(seen_ago->count()) : Json(nullptr);
  for (const char* key : {"role",
                          "isa",
                          "cpu_model",
                          "kernel_build",
                          "daemon_build",
                          "backend",
                          "holder",
                          "reserved",
                          "queue",
                          "draining",
                          "quarantined",
                          "drain_reason",
                          "uptime_ms",
                          "measurements",
                          "errors",
                          "finished",
                          "kept_results",
                          "kept_results_problem",
                          "temperature_celsius",
                          "clock_mhz",
                          "claimed_clock_mhz",
                          "canary_ns",
                          "canary_lease_ns",
                          "conditions_age_ms"}) {
    object[key] = nullptr;
  }
  if (view.info) {
    object["role"] = v1::Role_Name(view.role);
    object["isa"] = view.info->isa;
    object["cpu_model"] = view.info->cpu_model;
    object["kernel_build"] = view.info->kernel_build;
    object["daemon_build"] = view.info->daemon_build;
    object["backend"] = view.info->backend;
  }
  if (view.board) AddStatus(*view.board, object);
  return object;
}

}  // namespace bitpilot
