#include "experiments/headline/verdict.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>

#include "experiments/mean_interval.h"

namespace bitpilot {
namespace {

std::string NameOf(const SeedResult& seed) { return "seed " + std::to_string(seed.seed); }

std::vector<std::string> RowNames(const SeedResult& seed) {
  std::vector<std::string> names;
  for (const TrainedRow& row : seed.rows) names.push_back(row.name);
  return names;
}

Status CheckPredictions(const SeedResult& seed) {
  for (const TrainedRow& row : seed.rows) {
    if (!seed.labels.empty() && row.predictions.size() == seed.labels.size()) continue;
    return InvalidArgument(NameOf(seed) + ", " + row.name + ": " +
                           std::to_string(row.predictions.size()) + " predictions of " +
                           std::to_string(seed.labels.size()) +
                           " test images; expected one of each, and one image or more");
  }
  return Status();
}

Status CheckMachine(const SeedResult& first, const SeedResult& other) {
  const auto compare = [&](const char* what, const std::string& a, const std::string& b) {
    if (a == b) return Status();
    return InvalidArgument(std::string("results of different ") + what + " in one table: " +
                           NameOf(first) + " is of \"" + a + "\", " + NameOf(other) + " of \"" + b +
                           "\"; run all seeds anew, in a new folder");
  };
  BITPILOT_RETURN_IF_ERROR(compare("agents", first.machine.agent_build, other.machine.agent_build));
  BITPILOT_RETURN_IF_ERROR(
      compare("kernels", first.machine.kernel_build, other.machine.kernel_build));
  return compare("CPUs", first.machine.cpu, other.machine.cpu);
}

int IsRight(const SeedResult& seed, const TrainedRow& row, std::size_t image) {
  return row.predictions[image] == seed.labels[image] ? 1 : 0;
}

double TestAccuracy(const SeedResult& seed, const TrainedRow& row) {
  std::int64_t right = 0;
  for (std::size_t i = 0; i < seed.labels.size(); ++i) right += IsRight(seed, row, i);
  return static_cast<double>(right) / static_cast<double>(seed.labels.size());
}

// The gains of the found row over row `r`.
void AddGains(const std::vector<SeedResult>& seeds, std::size_t r, RowOfSeeds& row) {
  const std::size_t images = seeds.front().labels.size();
  std::vector<int> of_image(images, 0);
  std::int64_t of_all = 0;
  for (const SeedResult& seed : seeds) {
    std::int64_t of_seed = 0;
    for (std::size_t i = 0; i < images; ++i) {
      const int gain = IsRight(seed, seed.rows.front(), i) - IsRight(seed, seed.rows[r], i);
      of_image[i] += gain;
      of_seed += gain;
    }
    row.found_gain.push_back(static_cast<double>(of_seed) / static_cast<double>(images));
    of_all += of_seed;
  }
  const auto count = static_cast<double>(seeds.size());
  for (const int gain : of_image) row.image_gain.push_back(gain / count);
  row.mean_gain = static_cast<double>(of_all) / static_cast<double>(images * seeds.size());
}

Judgement MetIf(bool is_met) { return is_met ? Judgement::kMet : Judgement::kNotMet; }

Judgement JudgeLoss(const std::vector<RowOfSeeds>& rows) {
  const auto uniform8 = std::find_if(
      rows.begin(), rows.end(), [](const RowOfSeeds& row) { return row.name == kUniform8Name; });
  return MetIf(MeanOf(rows.front().ratio) <= kMostLatencyRatio &&
               uniform8->mean_gain >= -kMostLoss);
}

RivalVerdict JudgeRival(const std::vector<RowOfSeeds>& rows, double more_loss) {
  const RowOfSeeds* fastest = nullptr;
  for (const RowOfSeeds& row : rows) {
    if (&row == &rows.front() || row.name == kUniform8Name || row.mean_gain > more_loss) continue;
    // By what is judged: the found row is slowest beside it.
    if (fastest == nullptr || MeanOf(row.found_ratio) > MeanOf(fastest->found_ratio)) {
      fastest = &row;
    }
  }
  if (fastest == nullptr) return {"", {}, Judgement::kMet};
  return {fastest->name, fastest->found_ratio, MetIf(MeanOf(fastest->found_ratio) <= kTie)};
}

void JudgeMinutes(const std::vector<SeedResult>& seeds, Verdict& verdict) {
  verdict.minutes = Judgement::kMet;
  for (const SeedResult& seed : seeds) {
    if (seed.search_seconds && *seed.search_seconds > kMostSeconds) {
      verdict.minutes = Judgement::kNotMet;
      verdict.minutes_reason = NameOf(seed) + " took longer";
      return;
    }
    if (!seed.search_seconds) {
      verdict.minutes = Judgement::kNotJudged;
      verdict.minutes_reason = NameOf(seed) + "'s time is unknown: a session has no end";
    }
  }
}

// Why accuracy and latency cannot be judged; empty if they can.
std::string NotJudged(const std::vector<SeedResult>& seeds) {
  for (const SeedResult& seed : seeds) {
    if (seed.verdict != kOkVerdict) return NameOf(seed) + " was measured " + seed.verdict;
  }
  if (seeds.size() >= kFewestSeeds) return "";
  return "fewer than " + std::to_string(kFewestSeeds) + " seeds";
}

// Without a look at how many seeds there are, or how they were measured.
Verdict JudgeFigures(const std::vector<SeedResult>& seeds) {
  const std::vector<RowOfSeeds> rows = RowsOf(seeds);
  Verdict verdict;
  verdict.loss = JudgeLoss(rows);
  verdict.rival = JudgeRival(rows, 0.0);
  verdict.near_rival = JudgeRival(rows, kNearLoss);
  for (const SeedResult& seed : seeds) {
    const std::optional<std::string> other = NothingBetterThan(seed);
    if (!other) continue;
    verdict.nothing_found.push_back(NameOf(seed) + ": the search found nothing better than " +
                                    *other);
    verdict.rival.judgement = Judgement::kNotMet;
    verdict.near_rival.judgement = Judgement::kNotMet;
  }
  return verdict;
}

}  // namespace

Status CheckSeeds(const std::vector<SeedResult>& seeds) {
  if (seeds.empty()) return InvalidArgument("expected the results of one seed or more");
  const std::vector<std::string> names = RowNames(seeds.front());
  const bool has_uniform8 = std::find(names.begin(), names.end(), kUniform8Name) != names.end();
  if (names.empty() || names.front() != kFoundName || !has_uniform8) {
    return InvalidArgument("expected \"found\" as the first row, and w8a8 among the others");
  }
  std::set<std::uint64_t> numbers;
  for (const SeedResult& seed : seeds) {
    if (!numbers.insert(seed.seed).second) return InvalidArgument(NameOf(seed) + " is there twice");
    if (RowNames(seed) != names) {
      return InvalidArgument(NameOf(seed) + " has other rows than " + NameOf(seeds.front()));
    }
    BITPILOT_RETURN_IF_ERROR(CheckPredictions(seed));
    if (seed.labels != seeds.front().labels) {
      return InvalidArgument(NameOf(seed) + " has other test images than " + NameOf(seeds.front()));
    }
    BITPILOT_RETURN_IF_ERROR(CheckMachine(seeds.front(), seed));
  }
  return Status();
}

std::vector<RowOfSeeds> RowsOf(const std::vector<SeedResult>& seeds) {
  std::vector<RowOfSeeds> rows;
  for (std::size_t r = 0; r < seeds.front().rows.size(); ++r) {
    RowOfSeeds row;
    row.name = seeds.front().rows[r].name;
    for (const SeedResult& seed : seeds) {
      const TrainedRow& of_seed = seed.rows[r];
      row.validation.push_back(of_seed.validation_accuracy);
      row.test.push_back(TestAccuracy(seed, of_seed));
      row.ratio.push_back(of_seed.latency_ratio);
      row.found_ratio.push_back(of_seed.found_ratio);
    }
    AddGains(seeds, r, row);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<std::string> NothingBetterThan(const SeedResult& seed) {
  for (std::size_t r = 1; r < seed.rows.size(); ++r) {
    if (seed.rows[r].has_found_widths) return seed.rows[r].name;
  }
  if (seed.found_is_program_answer) return "another answer of the program";
  return std::nullopt;
}

Verdict Judge(const std::vector<SeedResult>& seeds) {
  Verdict verdict = JudgeFigures(seeds);
  JudgeMinutes(seeds, verdict);
  for (const SeedResult& seed : seeds) {
    const Verdict alone = JudgeFigures({seed});
    const bool holds = seed.verdict == kOkVerdict && alone.loss == Judgement::kMet &&
                       alone.rival.judgement == Judgement::kMet;
    verdict.seeds_that_hold += holds ? 1 : 0;
  }
  verdict.not_judged = NotJudged(seeds);
  if (!verdict.not_judged.empty()) {
    verdict.loss = Judgement::kNotJudged;
    verdict.rival.judgement = Judgement::kNotJudged;
    verdict.near_rival.judgement = Judgement::kNotJudged;
  }
  return verdict;
}

}  // namespace bitpilot
