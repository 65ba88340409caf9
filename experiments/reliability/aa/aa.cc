// Comparisons of A with B as `bitpilot evaluate --versus` makes them, where A is 1.8 to 2.2 % slower:
// each also compares two copies of A. README.md has the question and the command.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/results/board_versus.h"
#include "experiments/reliability/aa/aa_record.h"
#include "experiments/slower_network.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr char kUsage[] =
    "usage: aa [--short] FILE [COMPARISONS [DEVICE]]\n"
    "  --short      windows of 20 ms, as without --audit; else of 80 ms\n"
    "  FILE         what was compared so far, a line each; made if missing, else it goes on\n"
    "  COMPARISONS  to be in FILE in the end (default: 100); fewer than 100 keep no bar, and FILE\n"
    "               goes on with those that it was begun for\n"
    "  DEVICE       local (default) or local:ISA\n";

constexpr double kRatio = 1.02;
constexpr double kLeastRatio = 1.018;
constexpr double kMostRatio = 1.022;
// Below that, the shares of the bars are no shares of anything.
constexpr int kFewestComparisons = 100;

struct Arguments {
  bool is_long = true;
  std::string file;
  std::optional<int> comparisons;
  std::string device = "local";
};

std::optional<Arguments> Parse(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  Arguments arguments;
  if (!words.empty() && words.front() == "--short") {
    arguments.is_long = false;
    words.erase(words.begin());
  }
  if (words.empty() || words.size() > 3 || words.front().starts_with("--")) return std::nullopt;
  arguments.file = words[0];
  if (words.size() > 1) {
    arguments.comparisons = std::atoi(words[1].c_str());
    if (*arguments.comparisons < 1) return std::nullopt;
  }
  if (words.size() > 2) arguments.device = words[2];
  return arguments;
}

Network ResNet20() { return WidenedResNet20("", 0); }

// Widths of channels in steps that the kernels' tiles of 8 do not hide.
Result<AaSetup> FindSetup(Board& board, bool is_long) {
  const std::vector<std::string> blocks = {"layer1.1", "layer2.1", "layer2.2", "layer3.1",
                                           "layer3.2"};
  const Result<SlowerNetwork> slower =
      FindSlowerNetwork(board, ResNet20(), blocks, {2, 4, 6, 8, 10, 12}, kRatio);
  if (!slower.ok()) return slower.status();
  if (slower->ratio < kLeastRatio || slower->ratio > kMostRatio) {
    return Status(StatusCode::kUnavailable,
                  "no widened ResNet-20 is 1.8 to 2.2 % slower here; the nearest, " +
                      slower->block + " +" + std::to_string(slower->extra) + ", takes " +
                      std::to_string(slower->ratio) + " times as long");
  }
  AaSetup setup;
  setup.machine = MachineOf(board.info());
  setup.block = slower->block;
  setup.extra = slower->extra;
  setup.is_long = is_long;
  return setup;
}

// A daemon of its own for each comparison, as for each `bitpilot evaluate`.
Result<AaComparison> Compare(const Arguments& arguments, const AaSetup& setup) {
  const auto start = std::chrono::steady_clock::now();
  const Result<std::unique_ptr<Board>> board = StartLocalBoard(arguments.device, BoardOptions{});
  if (!board.ok()) return board.status();
  if (MachineOf((*board)->info()) != setup.machine) {
    return InvalidArgument(arguments.file + " is of " + setup.machine + ", this is " +
                           MachineOf((*board)->info()) + ": name another file");
  }
  const Network a = WidenedResNet20(setup.block, setup.extra);
  const Network b = ResNet20();
  VersusJob job;
  job.a = &a;
  job.b = &b;
  job.is_long = setup.is_long;
  job.notice = [](const std::string&) {};
  job.on_same = [](const std::vector<VersusBlock>&) {};
  const Result<BoardVersus> measured = CompareVersusOnBoard(**board, job);
  if (!measured.ok()) return measured.status();
  return ToComparison(
      measured->blocks,
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

template <typename Field>
std::vector<double> All(const AaRecord& record, Field field) {
  std::vector<double> values;
  for (const AaComparison& one : record.comparisons) values.push_back(field(one));
  return values;
}

int Count(const AaRecord& record, bool (*counts)(const AaComparison&)) {
  return static_cast<int>(
      std::count_if(record.comparisons.begin(), record.comparisons.end(), counts));
}

// The bars of README.md, and whether the comparisons could judge them.
bool KeepsBars(int total, int no_difference, int slower, int faster, double truth) {
  return total >= kFewestComparisons && truth >= kLeastRatio && truth <= kMostRatio &&
         no_difference * 100 >= 98 * total && slower * 100 >= 95 * total && faster == 0;
}

// Whether every bar is kept.
bool PrintTable(const AaRecord& record) {
  const auto total = static_cast<int>(record.comparisons.size());
  const double truth = Median(All(record, [](const AaComparison& one) { return one.ratio; }));
  const auto covers =
      std::count_if(record.comparisons.begin(), record.comparisons.end(),
                    [&](const AaComparison& one) { return one.low <= truth && truth <= one.high; });
  std::vector<double> off =
      All(record, [](const AaComparison& one) { return std::abs(one.same_ratio - 1.0); });
  std::vector<double> smallest;
  for (const AaComparison& one : record.comparisons) {
    if (one.smallest_difference) smallest.push_back(*one.smallest_difference);
  }
  std::sort(smallest.begin(), smallest.end());
  const int no_difference =
      Count(record, [](const AaComparison& one) { return !one.same_told_apart; });
  const int slower = Count(record, [](const AaComparison& one) { return one.verdict == "slower"; });
  const int faster = Count(record, [](const AaComparison& one) { return one.verdict == "faster"; });
  std::printf("%s, %s windows\n\n", record.setup.machine.c_str(),
              record.setup.is_long ? "long (--audit)" : "short");
  std::printf("| what | bar | result |\n|---|---|---|\n");
  std::printf("| two copies: no difference | 98 of 100 | %d of %d, worst ratio %.2f %% off |\n",
              no_difference, total, 100.0 * *std::max_element(off.begin(), off.end()));
  std::printf("| %.2f %% slower (%s +%d): found | 95 of 100 | %d of %d |\n", 100.0 * (truth - 1.0),
              record.setup.block.c_str(), record.setup.extra, slower, total);
  std::printf("| its ratio, median of all | 1.018 to 1.022, else the bars say nothing | %.4f |\n",
              truth);
  std::printf("| said faster | 0 | %d |\n", faster);
  std::printf("| intervals that hold the median of all ratios | | %d of %d |\n",
              static_cast<int>(covers), total);
  if (!smallest.empty()) {
    std::printf(
        "| stated to be found in 95 of 100, median (least..most) | | %.2f %% (%.2f..%.2f) |\n",
        100.0 * Median(smallest), 100.0 * smallest.front(), 100.0 * smallest.back());
  }
  std::printf("| no size stated | | %zu of %d |\n", record.comparisons.size() - smallest.size(),
              total);
  std::printf("| NOISY blocks of %d | | %.0f |\n", total * 2 * kVersusBlocks, [&] {
    double sum = 0.0;
    for (const AaComparison& one : record.comparisons) sum += one.noisy_blocks;
    return sum;
  }());
  std::printf("| seconds a comparison, median | | %.0f |\n",
              Median(All(record, [](const AaComparison& one) { return one.seconds; })));
  return KeepsBars(total, no_difference, slower, faster, truth);
}

Result<AaRecord> Begin(const Arguments& arguments) {
  Result<AaRecord> record = ReadRecord(arguments.file);
  if (record.ok()) {
    const int begun_for = record->setup.comparisons;
    if (arguments.comparisons.value_or(begun_for) != begun_for) {
      return InvalidArgument(arguments.file + " was begun for " + std::to_string(begun_for) +
                             " comparisons, not for " + std::to_string(*arguments.comparisons) +
                             ": name another file, or leave the number out");
    }
    if (record->setup.is_long == arguments.is_long) return record;
    return InvalidArgument(arguments.file + " is of " + (arguments.is_long ? "short" : "long") +
                           " windows: name another file, or " +
                           (arguments.is_long ? "give" : "leave out") + " --short");
  }
  if (record.status().code() != StatusCode::kNotFound) return record.status();
  const Result<std::unique_ptr<Board>> board = StartLocalBoard(arguments.device, BoardOptions{});
  if (!board.ok()) return board.status();
  Result<AaSetup> setup = FindSetup(**board, arguments.is_long);
  if (!setup.ok()) return setup.status();
  setup->comparisons = arguments.comparisons.value_or(setup->comparisons);
  BITPILOT_RETURN_IF_ERROR(BeginRecord(arguments.file, *setup));
  return AaRecord{*setup, {}};
}

Status Run(const Arguments& arguments) {
  const std::filesystem::path folder = std::filesystem::path(arguments.file).parent_path();
  std::error_code ignored;  // writing says what is wrong
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  Result<AaRecord> record = Begin(arguments);
  if (!record.ok()) return record.status();
  const int wanted = record->setup.comparisons;
  while (static_cast<int>(record->comparisons.size()) < wanted) {
    const Result<AaComparison> comparison = Compare(arguments, record->setup);
    if (!comparison.ok()) return comparison.status();
    BITPILOT_RETURN_IF_ERROR(AddToRecord(arguments.file, *comparison));
    record->comparisons.push_back(*comparison);
    std::fprintf(stderr, "%zu of %d: two copies %.4f, A to B %.4f, %s\n",
                 record->comparisons.size(), wanted, comparison->same_ratio, comparison->ratio,
                 comparison->verdict.empty() ? "no verdict" : comparison->verdict.c_str());
  }
  if (PrintTable(*record)) return {};
  return Status(StatusCode::kInternal, wanted < kFewestComparisons
                                           ? "fewer than " + std::to_string(kFewestComparisons) +
                                                 " comparisons keep no bar"
                                           : "a bar is missed");
}

int Main(int argc, char** argv) {
  const std::optional<Arguments> arguments = Parse(argc, argv);
  if (!arguments) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const Status status = Run(*arguments);
  if (status.ok()) return 0;
  std::fprintf(stderr, "aa: %s\n", status.message().c_str());
  return 1;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
