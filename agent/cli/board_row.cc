#include "agent/cli/board_row.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/cli/terminal.h"
#include "agent/fleet/quarantine_reason.h"
#include "kernels/base/joined.h"
#include "kernels/base/utf8.h"

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
  // Of leases per job, between two jobs.
  if (board.holder().empty()) return board.state() == "LEASED" ? "shared" : kNothing;
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

// A sentence that names the board; empty if there is nothing to say.
std::string NoteOf(const ShownBoard& shown) {
  const BoardView& view = shown.view;
  if (!view.status.ok()) return view.status.message();
  std::string note = "an older bitpilotd, which does not tell what it does: update it";
  if (view.board) {
    note = view.board->draining() ? DescribeDrain(view.board->drain_reason())
                                  : view.board->kept_results_problem();
  }
  return note.empty() ? "" : "board '" + shown.address.name + "': " + note;
}

// What its networks run by: the instruction set and the kernels' build, or a table.
std::string KernelsText(const BoardInfo& board) {
  return board.is_model() ? BackendText(board) : board.isa + " " + ShortBuild(board.kernel_build);
}

std::vector<std::string> RowOf(const ShownBoard& shown) {
  const BoardView& view = shown.view;
  std::vector<std::string> row = {
      shown.address.name, BoardStateWord(view),
      shown.address.tags.empty() ? kNothing : Joined(shown.address.tags)};
  if (view.board) {
    const CountedMeasurements measured = CountMeasured(*view.board);
    row.insert(row.end(),
               {HolderText(*view.board), std::to_string(view.board->queue_size()),
                std::to_string(measured.errors) + " of " + std::to_string(measured.all)});
  } else {
    row.insert(row.end(), 3, kNothing);
  }
  row.push_back(shown.seen_ago ? AgeText(*shown.seen_ago) : kNothing);
  if (view.board) {
    const v1::BoardStatus& board = *view.board;
    row.insert(
        row.end(),
        {board.has_temperature_celsius() ? Fixed(board.temperature_celsius(), 1, " C") : kNothing,
         ClockText(board), CanaryText(board)});
  } else {
    row.insert(row.end(), 3, kNothing);
  }
  row.push_back(view.info ? KernelsText(*view.info) : kNothing);
  return row;
}

// The column of this head, where no row has anything in it.
void DropEmpty(const std::string& head, std::vector<std::vector<std::string>>& rows) {
  const auto column =
      std::find(rows.front().begin(), rows.front().end(), head) - rows.front().begin();
  const auto is_empty = [column](const std::vector<std::string>& row) {
    return row[static_cast<std::size_t>(column)] == kNothing;
  };
  if (!std::all_of(rows.begin() + 1, rows.end(), is_empty)) return;
  for (std::vector<std::string>& row : rows) row.erase(row.begin() + column);
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
  constexpr std::string_view kModel = "model:";
  if (!board.is_model()) return board.backend;
  const bool is_named = board.backend.starts_with(kModel);
  return "MODEL:" + board.backend.substr(is_named ? kModel.size() : 0);
}

std::vector<std::string> BoardTable(const std::vector<ShownBoard>& boards) {
  std::vector<std::vector<std::string>> rows = {{"board", "state", "class", "holder", "queue",
                                                 "errors", "seen", "temperature", "clock", "canary",
                                                 "kernels"}};
  for (const ShownBoard& each : boards) rows.push_back(RowOf(each));
  for (const char* const head : {"class", "temperature", "clock", "canary"}) DropEmpty(head, rows);
  std::vector<std::string> lines = TableLines(rows);
  bool has_notes = false;
  for (const ShownBoard& each : boards) {
    const std::string note = NoteOf(each);
    if (note.empty()) continue;
    if (!std::exchange(has_notes, true)) lines.emplace_back();
    lines.push_back(WithoutControls(note));
  }
  return lines;
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
