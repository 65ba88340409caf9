#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board_conditions.h"
#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr std::size_t kMaxNotes = 12;

struct Range {
  std::optional<double> low;
  std::optional<double> high;

  void Add(const std::optional<double>& value) {
    if (!value) return;
    low = std::min(low.value_or(*value), *value);
    high = std::max(high.value_or(*value), *value);
  }
  std::string Text(double scale, int digits, const std::string& unit) const {
    if (!low) return "not told";
    const std::string from = FormatFixed(*low * scale, digits);
    const std::string to = FormatFixed(*high * scale, digits);
    return (from == to ? from : from + " to " + to) + unit;
  }
};

// What the measurements of one fingerprint have in common.
struct Group {
  std::string fingerprint;
  ClassId on;              // empty in studies of an older bitpilot
  std::string board_name;  // in the fleet file
  BoardInfo board;
  int measurements = 0;
  bool is_searched = false;  // not only measured for comparison with another board
  Range khz;
  Range celsius;
  Range other_load;
  Range canary_change;
  std::uint32_t throttle_bits = 0;
  bool has_throttle_bits = false;
  std::map<std::string, int> notes;
};

void Add(bool is_searched, const BoardConditions& conditions, Group& group) {
  ++group.measurements;
  group.is_searched |= is_searched;
  group.khz.Add(conditions.frequency_min_khz);
  group.khz.Add(conditions.frequency_max_khz);
  group.celsius.Add(conditions.temperature_start_celsius);
  group.celsius.Add(conditions.temperature_end_celsius);
  group.other_load.Add(conditions.other_load);
  if (conditions.canary_ns && conditions.canary_lease_ns.value_or(0.0) > 0.0) {
    group.canary_change.Add(*conditions.canary_ns / *conditions.canary_lease_ns - 1.0);
  }
  group.has_throttle_bits |= conditions.throttle_bits.has_value();
  group.throttle_bits |= conditions.throttle_bits.value_or(0);
  for (const std::string& note : conditions.notes) ++group.notes[note];
}

// In the order of the log. Studies of an older bitpilot have none.
std::vector<Group> GroupsOf(const ReportData& data) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < data.measurements.size(); ++i) {
    const MeasurementConditions& conditions = data.conditions[i];
    if (conditions.fingerprint.empty()) continue;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& one) {
      return one.fingerprint == conditions.fingerprint && one.on == conditions.on;
    });
    if (group == groups.end()) {
      Group added;
      added.fingerprint = conditions.fingerprint;
      added.on = conditions.on;
      added.board_name = conditions.board_name;
      const Result<BoardInfo> board = ParseEvent<BoardInfo>(data.measurements[i].board);
      if (board.ok()) added.board = *board;
      if (!conditions.board.governor.empty()) added.board.governor = conditions.board.governor;
      group = groups.insert(groups.end(), std::move(added));
    }
    const bool is_searched = !IsOfAnotherBoard(data.measurements[i], data.class_boards);
    Add(is_searched, conditions.board, *group);
  }
  return groups;
}

// How a board is unlike the first one of its class, their names aside.
std::string ChangeOf(const std::vector<Group>& groups, const Group& group) {
  const auto first = std::find_if(groups.begin(), groups.end(),
                                  [&](const Group& one) { return one.on == group.on; });
  BoardInfo before = first->board;
  before.name = group.board.name;
  return DescribeFingerprintChange(before, group.board);
}

std::string ThrottleText(const Group& group) {
  if (!group.has_throttle_bits) return "not told";
  char text[16];
  std::snprintf(text, sizeof text, "0x%x", group.throttle_bits);
  return text;
}

std::string NotesList(const std::vector<Group>& groups) {
  std::string items;
  std::size_t count = 0;
  for (const Group& group : groups) {
    for (const auto& [note, times] : group.notes) {
      if (++count > kMaxNotes) continue;
      items += Element(
          "li", "", note + " (" + Counted(static_cast<std::int64_t>(times), "measurement") + ")");
    }
  }
  if (count == 0) return "";
  if (count > kMaxNotes) {
    items += Element("li", "", "and " + std::to_string(count - kMaxNotes) + " other notes");
  }
  return "<details><summary>What the board noted: " + std::to_string(count) + "</summary><ul>" +
         items + "</ul></details>\n";
}

}  // namespace

std::string FingerprintsTable(const ReportData& data) {
  const std::vector<Group> groups = GroupsOf(data);
  if (groups.empty()) return "";
  std::string html =
      "<h3>Fingerprints</h3><div class=\"scroll\"><table><thead><tr><th>fingerprint</th>"
      "<th>board</th><th>measurements</th><th>governor</th><th>frequency, "
      "MHz</th><th>temperature</th>"
      "<th>throttle bits</th><th>other load, CPUs</th><th>canary, change</th>"
      "<th>differs from the first of its class</th></tr></thead><tbody>\n";
  for (const Group& group : groups) {
    const std::string change = ChangeOf(groups, group);
    const std::string& name = group.board_name.empty() ? group.board.name : group.board_name;
    html += "<tr>" + Element("th", "code", group.fingerprint) +
            Element("td", "", name + (data.has_several_classes() ? ", class " + group.on : "")) +
            NumberCell(std::to_string(group.measurements)) +
            Element("td", "", group.board.governor.empty() ? "not told" : group.board.governor) +
            NumberCell(group.khz.Text(1e-3, 0, "")) + NumberCell(group.celsius.Text(1, 0, " C")) +
            NumberCell(ThrottleText(group)) + NumberCell(group.other_load.Text(1, 2, "")) +
            NumberCell(group.canary_change.Text(100, 1, " %")) +
            Element("td", "", change.empty() ? "\u2013" : change) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n" + NotesList(groups);
}

std::string FingerprintBanner(const ReportData& data) {
  std::vector<Group> groups = GroupsOf(data);
  std::erase_if(groups, [](const Group& group) { return !group.is_searched; });
  std::map<ClassId, std::vector<std::string>>
      changes;  // from the first one of the class, each once
  for (const Group& group : groups) {
    const std::string change = ChangeOf(groups, group);
    std::vector<std::string>& told = changes[group.on];
    if (change.empty() || std::find(told.begin(), told.end(), change) != told.end()) continue;
    told.push_back(change);
  }
  std::string html;
  for (const auto& [on, told] : changes) {
    if (told.empty()) continue;
    const std::string of = data.has_several_classes() ? "class " + on : "this search";
    html += Element("div", "banner model-note",
                    "The measurements of " + of + " have " + std::to_string(told.size() + 1) +
                        " fingerprints: " + told.back() +
                        ". Ratios to 8 bit of the same rounds can be compared, latencies cannot.");
  }
  return html;
}

}  // namespace bitpilot
