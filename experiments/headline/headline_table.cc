#include "experiments/headline/headline_table.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <optional>

#include "experiments/mean_interval.h"

namespace bitpilot {
namespace {

__attribute__((format(printf, 1, 2))) std::string Printed(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

// "+- 0.0041": Student's 95 %, where there are two values or more.
std::string HalfWidthText(const std::vector<double>& values) {
  return values.size() < 2 ? "" : Printed(" +- %.4f", HalfWidth95(values));
}

std::string MeanText(const std::vector<double>& values) {
  return Printed("%.4f", MeanOf(values)) + HalfWidthText(values);
}

std::string GainText(const RowOfSeeds& row) {
  return Printed("%+.4f", row.mean_gain) + HalfWidthText(row.found_gain);
}

const char* Word(Judgement judgement) {
  switch (judgement) {
    case Judgement::kMet:
      return "met";
    case Judgement::kNotMet:
      return "NOT met";
    case Judgement::kNotJudged:
      return "not judged";
  }
  return "";
}

// What no reference and no answer of the program is may be called found.
std::string ShownName(const SeedResult& seed, const TrainedRow& row) {
  if (row.name != kFoundName) return row.name;
  const std::optional<std::string> other = NothingBetterThan(seed);
  return other ? "nothing found (has the widths of " + *other + ")" : row.name;
}

std::string TimeText(const SeedResult& seed) {
  if (!seed.search_seconds) return "unknown time";
  return Printed("%.0f s (%.0f s of CPU)", *seed.search_seconds,
                 seed.search_cpu_seconds.value_or(0.0));
}

std::string SeedsText(const std::vector<SeedResult>& seeds, const std::vector<RowOfSeeds>& rows) {
  std::string text =
      "| seed | network | training | validation | test | latency, x of 8 bit |\n"
      "|---|---|---|---|---|---|\n";
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const TrainedRow& row = seeds[s].rows[r];
      text += "| " + std::to_string(seeds[s].seed) + " | " + ShownName(seeds[s], row) + " | ";
      if (row.trainings.empty()) text += "the search's";
      for (const Training& training : row.trainings) {
        text += Printed("%s%s %.4f", &training == &row.trainings.front() ? "" : ", ",
                        training.name.c_str(), training.validation_accuracy);
      }
      text += Printed(" | %.4f | %.4f | %.3f (%.3f..%.3f) |\n", row.validation_accuracy,
                      rows[r].test[s], row.latency_ratio, row.latency_low, row.latency_high);
    }
  }
  for (const SeedResult& seed : seeds) {
    text += "seed " + std::to_string(seed.seed) + ": \"" + seed.found_label + "\" of the study, " +
            std::to_string(seed.found_batches) + " mini-batches; references " +
            std::to_string(seed.reference_batches) + " each training; searched for " +
            TimeText(seed) + "; compared " + std::to_string(seed.comparisons) +
            " times, the last one " + seed.verdict + "\n";
  }
  const Machine& machine = seeds.front().machine;
  return text + machine.agent_build + "; kernels " + machine.kernel_build.substr(0, 12) + "; " +
         machine.cpu + "\n";
}

std::string MeansText(const std::vector<RowOfSeeds>& rows) {
  std::string text =
      "\n| network, mean | validation | test | found less it, test; interval over seeds | over "
      "images | latency, x of 8 bit | found's latency, x of its |\n|---|---|---|---|---|---|---|\n";
  for (const RowOfSeeds& row : rows) {
    text += Printed("| %s | %.4f | %.4f | ", row.name.c_str(), MeanOf(row.validation),
                    MeanOf(row.test)) +
            GainText(row) + " |" + HalfWidthText(row.image_gain) + " | " + MeanText(row.ratio) +
            " | " + MeanText(row.found_ratio) + " |\n";
  }
  return text;
}

std::string RivalText(const char* whom, const RivalVerdict& rival, bool is_found) {
  std::string text = std::string("of the others that lose ") + whom;
  if (rival.name.empty()) {
    text += " there is none";
  } else {
    text += " the fastest is " + rival.name + ", latency " + MeanText(rival.found_ratio) +
            Printed(" <= %.2f of its", kTie);
  }
  if (!is_found) text += ", but the search found nothing";
  return text + ": " + Word(rival.judgement) + "\n";
}

}  // namespace

std::string BarsText(const std::vector<SeedResult>& seeds) {
  const Verdict verdict = Judge(seeds);
  const std::vector<RowOfSeeds> rows = RowsOf(seeds);
  const auto uniform8 = std::find_if(
      rows.begin(), rows.end(), [](const RowOfSeeds& row) { return row.name == kUniform8Name; });
  std::string text = "\n";
  for (const std::string& sentence : verdict.nothing_found) text += sentence + "\n";
  if (!verdict.not_judged.empty()) text += "not judged: " + verdict.not_judged + "\n";
  text += Printed("every search at most %.0f s: ", kMostSeconds) + Word(verdict.minutes) +
          (verdict.minutes_reason.empty() ? "" : " (" + verdict.minutes_reason + ")") + "\n";
  text += "latency " + MeanText(rows.front().ratio) + Printed(" <= %.2f", kMostLatencyRatio) +
          " at " + GainText(*uniform8) + Printed(" >= %.4f of the best 8 bit: ", -kMostLoss) +
          Word(verdict.loss) + "\n";
  const bool is_found = verdict.nothing_found.empty();
  text += RivalText("no more", verdict.rival, is_found);
  text += RivalText(Printed("at most %.3f more", kNearLoss).c_str(), verdict.near_rival, is_found);
  return text + "latency, accuracy and the others that lose no more hold on " +
         std::to_string(verdict.seeds_that_hold) + " of " + std::to_string(seeds.size()) +
         " seeds, each by itself\n";
}

Result<std::string> HeadlineText(const std::vector<SeedResult>& seeds) {
  BITPILOT_RETURN_IF_ERROR(CheckSeeds(seeds));
  const std::vector<RowOfSeeds> rows = RowsOf(seeds);
  return SeedsText(seeds, rows) + MeansText(rows) + BarsText(seeds);
}

}  // namespace bitpilot
