// Whether the losses that amed's belief foretells come. See README.md beside this file.
//
//   predictive_intervals [--readings] [--without STUDY.db]... STUDY.db...
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/results/accuracy_statistics.h"
#include "agent/study/episodes.h"
#include "agent/study/study.h"
#include "experiments/predictive_intervals/prediction_scores.h"

namespace bitpilot {
namespace {

using Readings = std::vector<ForetoldReading>;

// Nats: below, a network loses about as much as the images can tell.
constexpr double kSmallExcess = 0.05;

struct Arguments {
  bool each_reading = false;
  std::vector<std::string> without;
  std::vector<std::string> studies;
};

Result<Readings> ReadStudy(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status().WithContext(path);
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status().WithContext(path);
  const Result<Episodes> episodes = ReadEpisodes((*study)->config_json(), *events);
  if (!episodes.ok()) return episodes.status().WithContext(path);
  Readings readings = ForetoldReadings(*episodes);
  if (readings.empty()) {
    return Status(StatusCode::kNotFound,
                  path +
                      ": no loss was read beside uniform 8 bit trained alone; expected a search "
                      "with --train-batches, and a candidate that it has read");
  }
  return readings;
}

void PrintRow(const std::string& name, const Readings& readings) {
  const PredictionScore score = ScoreOf(readings);
  if (score.readings == 0) return;
  const Interval interval = WilsonInterval(score.covered, score.readings);
  std::printf(
      "| %s | %d | %d | %.1f %% (%.1f .. %.1f) | %.2f | %.4f | %.2f | %.2f | %.4f | %.4f | %.4f | "
      "%.4f |\n",
      name.c_str(), score.readings, score.covered, 100.0 * score.covered / score.readings,
      100.0 * interval.low, 100.0 * interval.high, score.surprise, score.deviation, score.log_score,
      score.log_score_of_one_deviation, score.error, score.error_as_last_read,
      score.error_as_probed, score.error_as_zero);
}

template <typename Predicate>
Readings Select(const Readings& readings, Predicate predicate) {
  Readings selected;
  for (const ForetoldReading& reading : readings) {
    if (predicate(reading)) selected.push_back(reading);
  }
  return selected;
}

void PrintReadings(const std::string& path, const Readings& readings) {
  std::printf("%s\n", path.c_str());
  for (const ForetoldReading& reading : readings) {
    std::printf(
        "%3d mini-batches, foretold %+.4f +- %.4f, read %+.4f +- %.4f (%+.1f deviations), last "
        "read %+.4f at %d bits from it, probed %+.4f\n",
        reading.depth, reading.predicted, reading.deviation, reading.read, reading.read_error,
        (reading.read - reading.predicted) / reading.deviation, reading.as_last_read,
        reading.bits_from_last, reading.as_probed);
  }
  std::printf("\n");
}

// Standard errors by what was read, and what the readings before let expect there.
void PrintErrors(const char* weights, const Readings& readings) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kEnds[] = {0.0, 0.02, kSmallExcess, 0.1, 0.2, 0.4, kInfinity};
  for (std::size_t i = 0; i + 1 < std::size(kEnds); ++i) {
    double excesses = 0.0;
    double squares = 0.0;
    double expected_squares = 0.0;
    int count = 0;
    for (const ForetoldReading& reading : readings) {
      const double size = std::abs(reading.read);
      if (reading.read_error == 0.0 || size < kEnds[i] || size >= kEnds[i + 1]) continue;
      excesses += size;
      squares += reading.read_error * reading.read_error;
      expected_squares += reading.expected_error * reading.expected_error;
      ++count;
    }
    if (count == 0) continue;
    std::printf("| %s | %d | %.4f | %.4f | %.4f |\n", weights, count, excesses / count,
                std::sqrt(squares / count), std::sqrt(expected_squares / count));
  }
}

Status Print(const Arguments& arguments) {
  Readings known;
  for (const std::string& path : arguments.without) {
    const Result<Readings> readings = ReadStudy(path);
    if (!readings.ok()) return readings.status();
    known.insert(known.end(), readings->begin(), readings->end());
  }
  std::vector<Readings> of_studies;
  Readings all;
  std::size_t read = 0;
  for (const std::string& path : arguments.studies) {
    Result<Readings> readings = ReadStudy(path);
    if (!readings.ok()) return readings.status();
    read += readings->size();
    KeepDistinct(known, &*readings);
    known.insert(known.end(), readings->begin(), readings->end());
    all.insert(all.end(), readings->begin(), readings->end());
    if (arguments.each_reading) PrintReadings(path, *readings);
    of_studies.push_back(std::move(*readings));
  }
  const Readings after = Select(all, [](const auto& one) { return one.on_trained_weights; });
  const Readings before = Select(all, [](const auto& one) { return !one.on_trained_weights; });
  std::printf("%zu readings, %zu of them distinct\n\n", read, all.size());
  std::printf(
      "| study | readings | within 90 %% | share (95 %%) | surprise | deviation | log score | of "
      "one deviation | error | as last read | as probed | as 0 |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < of_studies.size(); ++i) {
    const std::string& path = arguments.studies[i];
    PrintRow(path.substr(path.rfind('/') + 1), of_studies[i]);
  }
  PrintRow("all", all);
  PrintRow("all: after training", after);
  PrintRow("all: before", before);
  PrintRow("all: excess up to .05",
           Select(all, [](const auto& one) { return std::abs(one.read) <= kSmallExcess; }));
  PrintRow("all: above",
           Select(all, [](const auto& one) { return std::abs(one.read) > kSmallExcess; }));
  std::printf(
      "\n| weights | readings | mean of the excess | standard error | expected there |\n"
      "|---|---|---|---|---|\n");
  PrintErrors("before training", before);
  PrintErrors("after", after);
  return Status();
}

// False if `argv` is no command of this program.
bool Parse(int argc, char** argv, Arguments* arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--readings") {
      arguments->each_reading = true;
    } else if (argument == "--without" && i + 1 < argc) {
      arguments->without.emplace_back(argv[++i]);
    } else if (argument.starts_with("--")) {
      return false;
    } else {
      arguments->studies.emplace_back(argument);
    }
  }
  return !arguments->studies.empty();
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Arguments arguments;
  if (!bitpilot::Parse(argc, argv, &arguments)) {
    std::fprintf(stderr,
                 "usage: predictive_intervals [--readings] [--without STUDY.db]... STUDY.db...\n");
    return 2;
  }
  const bitpilot::Status status = bitpilot::Print(arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "predictive_intervals: %s\n", status.message().c_str());
  return 1;
}
