#include "agent/study/calibration_event.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "agent/fleet/class_name.h"
#include "agent/study/formatted.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kPrefix = "calibration-";
constexpr std::string_view kRowOf = "-network-";

Json JsonOf(const std::optional<BoardAgreement>& agreement) {
  if (!agreement) return nullptr;
  return {{"factor", agreement->factor},
          {"residual", agreement->residual},
          {"noise", agreement->noise},
          {"worst_network", agreement->worst_network},
          {"expected_ratio", agreement->expected_ratio},
          {"ratio", agreement->ratio}};
}

std::optional<BoardAgreement> AgreementOf(const Json& json) {
  if (json.is_null()) return std::nullopt;
  BoardAgreement agreement;
  json.at("factor").get_to(agreement.factor);
  json.at("residual").get_to(agreement.residual);
  json.at("noise").get_to(agreement.noise);
  json.at("worst_network").get_to(agreement.worst_network);
  json.at("expected_ratio").get_to(agreement.expected_ratio);
  json.at("ratio").get_to(agreement.ratio);
  return agreement;
}

std::string Percent(double fraction) { return Formatted("%.1f %%", 100.0 * fraction); }

}  // namespace

template <>
std::string ToJson(const CalibrationEvent& event) {
  Json boards = Json::array();
  for (const CalibratedBoard& each : event.boards) {
    boards.push_back({{"board", each.board},
                      {"measurements", each.measurements},
                      {"is_pooled", each.is_pooled},
                      {"agreement", JsonOf(each.agreement)},
                      {"failure", each.failure}});
  }
  const Json json = {{"on", event.on},
                     {"networks", event.networks},
                     {"reference", event.reference},
                     {"reference_measurements", event.reference_measurements},
                     {"is_last_resort", event.is_last_resort},
                     {"boards", std::move(boards)},
                     {"board_seconds", event.board_seconds}};
  // A board's own words may not be UTF-8; the log must take them all the same.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

template <>
Result<CalibrationEvent> ParseEvent(std::string_view payload) {
  try {
    const Json json = Json::parse(payload);
    CalibrationEvent event;
    json.at("on").get_to(event.on);
    json.at("networks").get_to(event.networks);
    json.at("reference").get_to(event.reference);
    json.at("reference_measurements").get_to(event.reference_measurements);
    json.at("is_last_resort").get_to(event.is_last_resort);
    json.at("board_seconds").get_to(event.board_seconds);
    for (const Json& each : json.at("boards")) {
      CalibratedBoard& board = event.boards.emplace_back();
      each.at("board").get_to(board.board);
      each.at("measurements").get_to(board.measurements);
      each.at("is_pooled").get_to(board.is_pooled);
      board.agreement = AgreementOf(each.at("agreement"));
      each.at("failure").get_to(board.failure);
    }
    return event;
  } catch (const Json::exception& error) {
    return DataCorrupt("payload " + std::string(payload.substr(0, 120)) +
                       " is not what this event needs: " + error.what());
  }
}

std::string CalibrationId(int class_number, int number) {
  return std::string(kPrefix) +
         (class_number == 1 ? "" : "class-" + std::to_string(class_number) + "-") +
         std::to_string(number);
}

std::string CalibrationRowId(const std::string& calibration_id, int network) {
  return calibration_id + std::string(kRowOf) + std::to_string(network);
}

bool IsCalibration(std::string_view measurement_id) {
  return measurement_id.starts_with(kPrefix) &&
         measurement_id.find(kRowOf) != std::string_view::npos;
}

std::string CalibrationIdOf(std::string_view measurement_id) {
  return std::string(measurement_id.substr(0, measurement_id.find(kRowOf)));
}

Result<CalibrationReading> ReadCalibration(
    const std::string& calibration_id, int networks,
    const std::function<Result<MeasurementRow>(const std::string& row_id)>& row_of) {
  CalibrationReading reading;
  std::vector<std::vector<double>> latency_ns;
  for (int network = 0; network < networks; ++network) {
    const Result<MeasurementRow> row = row_of(CalibrationRowId(calibration_id, network));
    if (!row.ok()) return row.status();
    const MeasurementEvent event = MeasurementEventOf(*row);
    if (network == 0) {
      Result<BoardInfo> info = ParseEvent<BoardInfo>(row->board);
      if (!info.ok()) return info.status().WithContext(row->measurement_id);
      reading.info = std::move(*info);
      reading.board = event.board;
      reading.board_seconds = event.board_seconds;
      if (!row->latency_median_ns) reading.failure = row->status + ": " + row->detail;
    }
    if (event.board != reading.board ||
        row->latency_median_ns.has_value() == !reading.failure.empty()) {
      return DataCorrupt("measurement " + row->measurement_id +
                         " is not of the same request as the first network's");
    }
    const std::span<const double> times = TimesToCompare(row->window_ns, row->window_cpu_ns);
    latency_ns.emplace_back(times.begin(), times.end());
  }
  if (!reading.failure.empty()) return reading;
  for (const std::vector<double>& times : latency_ns) {
    const bool is_sound = !times.empty() && std::all_of(times.begin(), times.end(), [](double ns) {
      return ns > 0.0 && std::isfinite(ns);
    });
    if (!is_sound) {
      return DataCorrupt("measurement " + calibration_id + ": expected windows of positive times");
    }
  }
  if (latency_ns.empty()) {
    return DataCorrupt("measurement " + calibration_id + ": expected at least one network");
  }
  reading.shape = ShapeOf(latency_ns);
  return reading;
}

std::string DescribeCalibration(const CalibrationEvent& event, const CalibratedBoard& board) {
  const std::string name = "board '" + board.board + "'";
  const std::string last_resort =
      event.is_last_resort
          ? ", for want of another one: compare what it measures with nothing before"
          : "";
  if (!board.agreement) {
    const std::string said = " could not measure the reference networks (" + board.failure + ")";
    if (board.is_pooled)
      return name + said + "; it measures for its class all the same" + last_resort;
    return name + " is left out of " + ClassLabel(event.on) + ":" + said +
           "; mend it, then start the search again or let it go on";
  }
  const BoardAgreement& agreement = *board.agreement;
  if (board.is_pooled) {
    if (board.board == event.reference) {
      return name + " is the one that " + ClassLabel(event.on) + " is compared with" + last_resort;
    }
    return name +
           Formatted(" agrees with '%s': %.3f times its latency, and ratios that scatter by ",
                     event.reference.c_str(), agreement.factor) +
           Percent(agreement.residual) + " (standard deviation)" + last_resort;
  }
  const bool is_noise = agreement.noise > agreement.residual / 2.0;
  return name + " is left out of " + ClassLabel(event.on) + ": beside '" + event.reference +
         "' its latencies of " + std::to_string(event.networks) + " networks, " +
         Formatted("%.3f times as long, scatter by ", agreement.factor) +
         Percent(agreement.residual) + " (expected at most " + Percent(kMaxResidual) +
         "); network " + std::to_string(agreement.worst_network + 1) +
         Formatted(" takes %.3f of uniform 8 bit's time, expected %.3f, and at most ",
                   agreement.ratio, agreement.expected_ratio) +
         Percent(kMaxRatioDifference) + " more or less. " +
         (is_noise ? "Its measurements scatter that much by themselves (" +
                         Percent(agreement.noise) + "): look for other work and for heat on it"
                   : "Look at its clock, cooling, memory and supply, or give it a tag of its own: "
                     "then it is a class of its own");
}

}  // namespace bitpilot
