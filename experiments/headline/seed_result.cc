#include "experiments/headline/seed_result.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "experiments/mean_interval.h"
#include "kernels/base/file_io.h"

namespace bitpilot {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TrainedRow, name, validation_accuracy, test_accuracy,
                                   latency_ratio, latency_low, latency_high, found_ratio)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SeedResult, seed, found_label, found_batches, reference_batches,
                                   comparisons, verdict, rows)

namespace {

using Json = nlohmann::json;

// "-0.0030 +- 0.0041": with Student's 95 % interval, where there is one.
std::string MeanText(const std::vector<double>& values, const char* format) {
  char text[48];
  std::snprintf(text, sizeof text, format, MeanOf(values));
  std::string result = text;
  if (values.size() < 2) return result;
  std::snprintf(text, sizeof text, " +- %.4f", HalfWidth95(values));
  return result + text;
}

// One row of every seed, in the order of the seeds.
struct RowOfSeeds {
  std::string name;
  std::vector<double> validation;
  std::vector<double> test;
  std::vector<double> ratio;
  std::vector<double> found_ratio;
  std::vector<double> found_gain;  // the found row's test accuracy less this one's, seed by seed
};

std::vector<RowOfSeeds> RowsOf(const std::vector<SeedResult>& seeds) {
  std::vector<RowOfSeeds> rows;
  for (std::size_t r = 0; r < seeds.front().rows.size(); ++r) {
    RowOfSeeds row;
    row.name = seeds.front().rows[r].name;
    for (const SeedResult& seed : seeds) {
      const TrainedRow& of_seed = seed.rows[r];
      row.validation.push_back(of_seed.validation_accuracy);
      row.test.push_back(of_seed.test_accuracy);
      row.ratio.push_back(of_seed.latency_ratio);
      row.found_ratio.push_back(of_seed.found_ratio);
      row.found_gain.push_back(seed.rows.front().test_accuracy - of_seed.test_accuracy);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Status Check(const std::vector<SeedResult>& seeds) {
  const auto names = [](const SeedResult& seed) {
    std::vector<std::string> of_rows;
    for (const TrainedRow& row : seed.rows) of_rows.push_back(row.name);
    return of_rows;
  };
  if (seeds.empty()) return InvalidArgument("expected the results of one seed or more");
  const std::vector<std::string> expected = names(seeds.front());
  const bool has_uniform8 =
      std::find(expected.begin(), expected.end(), kUniform8Name) != expected.end();
  if (expected.empty() || expected.front() != kFoundName || !has_uniform8) {
    return InvalidArgument("expected \"found\" as the first row, and w8a8 among the others");
  }
  std::set<std::uint64_t> numbers;
  for (const SeedResult& seed : seeds) {
    const std::string who = "seed " + std::to_string(seed.seed);
    if (!numbers.insert(seed.seed).second) return InvalidArgument(who + " is there twice");
    if (names(seed) != expected) {
      return InvalidArgument(who + " has other rows than seed " +
                             std::to_string(seeds.front().seed));
    }
  }
  return Status();
}

void PrintSeeds(const std::vector<SeedResult>& seeds) {
  std::printf(
      "| seed | network | validation | test | latency, x of 8 bit |\n|---|---|---|---|---|\n");
  for (const SeedResult& seed : seeds) {
    for (const TrainedRow& row : seed.rows) {
      std::printf("| %llu | %s | %.4f | %.4f | %.3f (%.3f..%.3f) |\n",
                  static_cast<unsigned long long>(seed.seed), row.name.c_str(),
                  row.validation_accuracy, row.test_accuracy, row.latency_ratio, row.latency_low,
                  row.latency_high);
    }
  }
  for (const SeedResult& seed : seeds) {
    std::printf(
        "seed %llu: found is \"%s\" of the study, %lld mini-batches; references %lld each; "
        "compared "
        "%d times, the last one %s\n",
        static_cast<unsigned long long>(seed.seed), seed.found_label.c_str(),
        static_cast<long long>(seed.found_batches), static_cast<long long>(seed.reference_batches),
        seed.comparisons, seed.verdict.c_str());
  }
}

void PrintMeans(const std::vector<RowOfSeeds>& rows) {
  std::printf(
      "\n| network, mean | validation | test | found less it, test | latency, x of 8 bit | found's "
      "latency, x of its |\n|---|---|---|---|---|---|\n");
  for (const RowOfSeeds& row : rows) {
    std::printf("| %s | %.4f | %.4f | %s | %s | %s |\n", row.name.c_str(), MeanOf(row.validation),
                MeanOf(row.test), MeanText(row.found_gain, "%+.4f").c_str(),
                MeanText(row.ratio, "%.4f").c_str(), MeanText(row.found_ratio, "%.4f").c_str());
  }
}

const char* Met(bool is_met) { return is_met ? "met" : "NOT met"; }

void PrintBars(const std::vector<RowOfSeeds>& rows) {
  const RowOfSeeds& found = rows.front();
  const RowOfSeeds* fastest = nullptr;  // of those that lose no more
  for (const RowOfSeeds& row : rows) {
    if (row.name == kUniform8Name) {
      const bool is_met =
          MeanOf(found.ratio) <= kMostLatencyRatio && MeanOf(row.found_gain) >= -kMostLoss;
      std::printf("\nlatency %s <= %.2f at %s >= %.4f of 8 bit: %s\n",
                  MeanText(found.ratio, "%.4f").c_str(), kMostLatencyRatio,
                  MeanText(row.found_gain, "%+.4f").c_str(), -kMostLoss, Met(is_met));
      continue;
    }
    // Of 8 bit, trained or not, only the accuracy is asked.
    if (&row == &found || row.name.starts_with(kUniform8Name)) continue;
    if (MeanOf(row.found_gain) > 0.0) continue;
    if (fastest == nullptr || MeanOf(row.ratio) < MeanOf(fastest->ratio)) fastest = &row;
  }
  if (fastest == nullptr) {
    std::printf("not slower than the fastest that loses no more: all others lose more: met\n");
    return;
  }
  std::printf("latency %s <= %.2f of the fastest that loses no more, %s: %s\n",
              MeanText(fastest->found_ratio, "%.4f").c_str(), kTie, fastest->name.c_str(),
              Met(MeanOf(fastest->found_ratio) <= kTie));
}

}  // namespace

Status WriteSeedResult(const std::string& path, const SeedResult& result) {
  return WriteFileAtomically(path, Json(result).dump(2) + "\n");
}

Result<SeedResult> ReadSeedResult(const std::string& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  try {
    return Json::parse(*text).get<SeedResult>();
  } catch (const Json::exception& error) {
    return DataCorrupt(path + ": expected what `headline measure` wrote: " + error.what());
  }
}

Status PrintHeadline(const std::vector<SeedResult>& seeds) {
  BITPILOT_RETURN_IF_ERROR(Check(seeds));
  const std::vector<RowOfSeeds> rows = RowsOf(seeds);
  PrintSeeds(seeds);
  PrintMeans(rows);
  PrintBars(rows);
  return Status();
}

}  // namespace bitpilot
