// Whether the losses that a planning policy foretold came. See README.md beside this file.
//
//   predictive_intervals [--readings] STUDY.db...
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/results/accuracy_statistics.h"
#include "agent/study/episodes.h"
#include "agent/study/study.h"
#include "experiments/predictive_intervals/prediction_scores.h"

namespace bitpilot {
namespace {

using Readings = std::vector<ForetoldReading>;

Result<Readings> ReadStudy(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  const Result<Episodes> episodes = ReadEpisodes((*study)->config_json(), *events);
  if (!episodes.ok()) return episodes.status();
  Readings readings = ForetoldReadings(*episodes);
  if (readings.empty()) {
    return Status(
        StatusCode::kNotFound,
        "no reading of the loss was foretold; expected a study of policy amed or two-stage");
  }
  return readings;
}

void PrintRow(const std::string& name, const Readings& readings) {
  const PredictionScore score = ScoreOf(readings);
  if (score.readings == 0) return;
  const Interval interval = WilsonInterval(score.covered, score.readings);
  std::printf("| %s | %d | %d | %.1f %% (%.1f .. %.1f) | %.2f | %.4f | %.4f | %.4f |\n",
              name.c_str(), score.readings, score.covered, 100.0 * score.covered / score.readings,
              100.0 * interval.low, 100.0 * interval.high, score.surprise, score.deviation,
              score.error, score.error_as_last_read);
}

template <typename Predicate>
Readings Select(const Readings& readings, Predicate predicate) {
  Readings selected;
  for (const ForetoldReading& reading : readings) {
    if (predicate(reading)) selected.push_back(reading);
  }
  return selected;
}

void PrintReadings(const Readings& readings) {
  for (const ForetoldReading& reading : readings) {
    std::printf("%s, foretold %+.4f +- %.4f, read %+.4f +- %.4f (%+.1f deviations)",
                reading.has_trained ? "trained" : "read only", reading.predicted, reading.deviation,
                reading.read, reading.read_error,
                (reading.read - reading.predicted) / reading.deviation);
    if (reading.as_last_read) {
      std::printf(", last read %+.4f at %d bits from it", *reading.as_last_read,
                  reading.bits_from_last);
    }
    std::printf("\n");
  }
  std::printf("\n");
}

Status Print(const std::vector<std::string>& paths, bool each_reading) {
  std::vector<Readings> of_studies;
  Readings all;
  for (const std::string& path : paths) {
    Result<Readings> readings = ReadStudy(path);
    if (!readings.ok()) return readings.status().WithContext(path);
    all.insert(all.end(), readings->begin(), readings->end());
    of_studies.push_back(std::move(*readings));
    if (each_reading) {
      std::printf("%s\n", path.c_str());
      PrintReadings(of_studies.back());
    }
  }
  std::printf(
      "| study | readings | within 90 %% | share (95 %%) | surprise | deviation | error | as last "
      "read |\n|---|---|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < paths.size(); ++i) {
    PrintRow(paths[i].substr(paths[i].rfind('/') + 1), of_studies[i]);
  }
  PrintRow("all", all);
  PrintRow("all: after training", Select(all, [](const auto& one) { return one.has_trained; }));
  PrintRow("all: without", Select(all, [](const auto& one) { return !one.has_trained; }));
  PrintRow("all: of widths read before", Select(all, [](const auto& one) {
             return one.as_last_read && one.bits_from_last == 0;
           }));
  return Status();
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const bool each_reading = argc > 1 && std::string_view(argv[1]) == "--readings";
  const std::vector<std::string> paths(argv + (each_reading ? 2 : 1), argv + argc);
  if (paths.empty()) {
    std::fprintf(stderr, "usage: predictive_intervals [--readings] STUDY.db...\n");
    return 2;
  }
  const bitpilot::Status status = bitpilot::Print(paths, each_reading);
  if (status.ok()) return 0;
  std::fprintf(stderr, "predictive_intervals: %s\n", status.message().c_str());
  return 1;
}
