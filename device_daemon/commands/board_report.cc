#include "device_daemon/commands/board_report.h"

#include <cstdio>
#include <map>
#include <optional>
#include <set>

#include "device_daemon/energy/energy_estimate.h"
#include "device_daemon/energy/source_choice.h"

namespace bitpilot {
namespace {

double MinWindowSeconds(const EnergySourceInfo& info) {
  return static_cast<double>(MinWindowNs(info)) * 1e-9;
}

std::vector<std::string> LimitsNow(const ThrottleBits& bits) {
  std::vector<std::string> limits;
  if (bits.under_voltage) limits.emplace_back("under-voltage");
  if (bits.frequency_capped) limits.emplace_back("frequency capped");
  if (bits.throttled) limits.emplace_back("throttled");
  if (bits.soft_temperature_limit) limits.emplace_back("soft temperature limit");
  return limits;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

nlohmann::ordered_json EnergySourcesJson(const std::vector<FoundEnergySource>& sources) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  const std::optional<std::size_t> best = BestEnergySource(sources);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const FoundEnergySource& one = sources[i];
    nlohmann::ordered_json json{
        {"name", one.name}, {"usable", one.status.ok()}, {"chosen", best == i}};
    if (one.status.ok()) {
      const EnergySourceInfo& info = one.source->info();
      json["tier"] = ToString(TierOf(info.sensor));
      json["scope"] = info.scope;
      json["period_ms"] = static_cast<double>(info.period_ns) * 1e-6;
      json["min_window_s"] = MinWindowSeconds(info);
    } else {
      json["status"] = ToString(one.status.code());
      json["reason"] = one.status.message();
    }
    array.push_back(json);
  }
  return array;
}

LookedAtBoard LookAtBoard(const std::filesystem::path& root,
                          const std::function<void()>& sleep_one_second) {
  LookedAtBoard board;
  const auto look = [&](double seconds_later) {
    board.state = ReadBoardState(root);
    board.zones.Look(board.state.zones, seconds_later);
    return board.zones.hottest_celsius().value_or(0.0) >= ZoneWatch::kTooHotCelsius;
  };
  bool is_too_hot = look(0.0);
  for (int second = 0; is_too_hot && second < ZoneWatch::kStillSeconds; ++second) {
    sleep_one_second();
    is_too_hot = look(1.0);
  }
  return board;
}

nlohmann::ordered_json BoardStateJson(const LookedAtBoard& board, int cpu) {
  const BoardState& state = board.state;
  std::set<std::string> governors;
  for (const CpuFrequency& one : state.frequencies) {
    if (!one.governor.empty()) governors.insert(one.governor);
  }
  nlohmann::ordered_json zones = nlohmann::ordered_json::object();
  for (const ThermalZone& zone : state.zones) zones[zone.name] = zone.celsius;
  nlohmann::ordered_json ignored = nlohmann::ordered_json::object();
  for (const IgnoredZone& zone : board.zones.ignored()) ignored[zone.name] = zone.reason;
  nlohmann::ordered_json json{
      {"governors", governors}, {"zones", zones}, {"ignored_zones", ignored}};
  json["throttle"] = state.throttle ? nlohmann::ordered_json(LimitsNow(*state.throttle))
                                    : nlohmann::ordered_json();
  json["concerns"] = FindStateConcerns(state, cpu);
  return json;
}

std::vector<std::string> EnergySourcesText(const std::vector<FoundEnergySource>& sources) {
  std::vector<std::string> lines;
  const std::optional<std::size_t> best = BestEnergySource(sources);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const FoundEnergySource& one = sources[i];
    std::string line = "energy               " + one.name + ": ";
    if (one.status.ok()) {
      const EnergySourceInfo& info = one.source->info();
      line += std::string(ToString(TierOf(info.sensor))) + "; " + info.scope +
              "; windows of at least " + Number(MinWindowSeconds(info)) + " s";
      if (best == i) line += "; serve measures with it";
    } else {
      line += "not usable: " + one.status.message();
    }
    lines.push_back(line);
  }
  if (lines.empty()) lines.emplace_back("energy               no source: this board measures none");
  return lines;
}

std::vector<std::string> BoardStateText(const LookedAtBoard& board, int cpu) {
  std::vector<std::string> lines;
  std::map<std::string, std::string> reasons;
  for (const IgnoredZone& zone : board.zones.ignored()) reasons[zone.name] = zone.reason;
  for (const ThermalZone& zone : board.state.zones) {
    const auto ignored = reasons.find(zone.name);
    lines.push_back("thermal zone         " + zone.name + ": " + Number(zone.celsius) + " C" +
                    (ignored == reasons.end() ? "" : "; does not count: " + ignored->second));
  }
  for (const std::string& concern : FindStateConcerns(board.state, cpu)) {
    lines.push_back("NOTE: " + concern);
  }
  return lines;
}

}  // namespace bitpilot
