// Mean and spread, over studies that differ in their seed, of the rows that a search shows first.
// See README.md beside this file.
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/study/chosen_rows.h"
#include "agent/study/final_event.h"
#include "agent/study/study.h"
#include "agent/study/training_note.h"
#include "experiments/mean_interval.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

Result<FinalEvent> ReadFinal(const std::string& path) {
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(path);
  if (!study.ok()) return study.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  // The last one: a search that was extended has several.
  const auto final = std::find_if(events->rbegin(), events->rend(), [](const Event& event) {
    return event.kind == FinalEvent::kKind;
  });
  if (final != events->rend()) return ParseEvent<FinalEvent>(final->payload);
  return Status(StatusCode::kNotFound,
                path + ": the search has not ended; go on with bitpilot search --study " + path +
                    " --resume");
}

const FinalRow* RowOf(const FinalEvent& final, FinalistRole role) {
  const auto row = std::find_if(final.rows.begin(), final.rows.end(),
                                [&](const FinalRow& one) { return one.role == role; });
  return row == final.rows.end() ? nullptr : &*row;
}

// "0.871 (0.866..0.875)"
std::string MeanAndSpread(const std::vector<double>& values, const char* format) {
  if (values.empty()) return "-";
  double sum = 0.0;
  for (const double value : values) sum += value;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const auto text = [&](double value) {
    char number[32];
    std::snprintf(number, sizeof number, format, value);
    return std::string(number);
  };
  return text(sum / static_cast<double>(values.size())) + " (" + text(*least) + ".." + text(*most) +
         ")";
}

// "+0.0010 +- 0.0031": with Student's 95 % interval, where there is one.
std::string MeanText(const std::vector<double>& values, const char* format) {
  char text[32];
  std::snprintf(text, sizeof text, format, MeanOf(values));
  std::string result = text;
  if (values.size() < 2) return result;
  std::snprintf(text, sizeof text, " +- %.4f", HalfWidth95(values));
  return result + text;
}

// How the tables' rows were trained; a line each where studies differ.
void PrintTraining(const std::vector<FinalEvent>& finals) {
  std::set<std::string> texts;
  for (const FinalEvent& final : finals) texts.insert(DescribeTraining(final));
  for (const std::string& text : texts) std::printf("\n%s\n", text.c_str());
}

// "twin 2, search 1": how many studies started a row's final training where.
std::string Starts(const std::vector<const FinalRow*>& rows) {
  std::map<std::string_view, int> counts;
  for (const FinalRow* row : rows) {
    if (row != nullptr && row->start) ++counts[ToString(*row->start)];
  }
  if (counts.empty()) return "-";
  return Joined(counts, [](const auto& one) {
    return std::string(one.first) + " " + std::to_string(one.second);
  });
}

// One line of the table: a row of every study that has it.
void PrintRow(const char* name, const std::vector<const FinalRow*>& rows, std::size_t studies) {
  std::vector<double> accuracies, differences, ratios, bytes, batches;
  for (const FinalRow* row : rows) {
    if (row == nullptr || !row->no_figures_reason.empty()) continue;
    accuracies.push_back(row->test_accuracy);
    differences.push_back(row->paired_difference);
    bytes.push_back(static_cast<double>(row->weight_bytes));
    if (row->ratio) ratios.push_back(*row->ratio);
    if (row->mini_batches) batches.push_back(static_cast<double>(*row->mini_batches));
  }
  std::printf("| %s | %zu of %zu | %s | %s | %s | %s | %s | %s |\n", name, accuracies.size(),
              studies, MeanAndSpread(batches, "%.0f").c_str(), Starts(rows).c_str(),
              MeanAndSpread(accuracies, "%.3f").c_str(),
              MeanAndSpread(differences, "%+.3f").c_str(), MeanAndSpread(ratios, "%.3f").c_str(),
              MeanAndSpread(bytes, "%.0f").c_str());
}

// The rows of every study, by what they are: null where a study has none.
struct Rows {
  std::string name;
  std::vector<const FinalRow*> rows;
};

bool HasFigures(const FinalRow* row) {
  return row != nullptr && row->no_figures_reason.empty() && row->ratio;
}

// A found row less the program's of the same study, a line a study that has both, then the means and how
// often one is at least as accurate and as fast as the other.
void PrintAgainstProgram(const std::vector<std::string>& paths, const Rows& found,
                         const Rows& program) {
  std::vector<double> accuracies, ratios;
  int better = 0;
  int worse = 0;
  std::printf("\n%s, less the integer program's row of the same study:\n", found.name.c_str());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const FinalRow* a = found.rows[i];
    const FinalRow* b = program.rows[i];
    if (!HasFigures(a) || !HasFigures(b)) {
      std::printf("  %s: one of them is missing\n", paths[i].c_str());
      continue;
    }
    const double accuracy = a->test_accuracy - b->test_accuracy;
    const double ratio = *a->ratio - *b->ratio;
    const bool same = accuracy == 0.0 && ratio == 0.0;
    better += !same && accuracy >= 0.0 && ratio <= 0.0 ? 1 : 0;
    worse += !same && accuracy <= 0.0 && ratio >= 0.0 ? 1 : 0;
    accuracies.push_back(accuracy);
    ratios.push_back(ratio);
    std::printf("  %s: accuracy %+.4f, latency %+.3f x of 8 bit%s\n", paths[i].c_str(), accuracy,
                ratio, a->assignment_id == b->assignment_id ? " (equal widths)" : "");
  }
  if (accuracies.empty()) return;
  std::printf("  mean: accuracy %s, latency %s; it dominates in %d, is dominated in %d of %zu\n",
              MeanText(accuracies, "%+.4f").c_str(), MeanText(ratios, "%+.3f").c_str(), better,
              worse, accuracies.size());
}

Status PrintTable(const std::vector<std::string>& paths) {
  std::vector<FinalEvent> finals;
  for (const std::string& path : paths) {
    Result<FinalEvent> final = ReadFinal(path);
    if (!final.ok()) return final.status();
    finals.push_back(std::move(*final));
  }
  std::printf(
      "| network | in | mini-batches | from | test accuracy | against 8 bit | latency, x of 8 bit "
      "| weights, bytes |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  const auto print = [&](std::string name, auto choose) {
    Rows of{std::move(name), {}};
    for (const FinalEvent& final : finals) of.rows.push_back(choose(final));
    PrintRow(of.name.c_str(), of.rows, finals.size());
    return of;
  };
  const auto print_role = [&](FinalistRole role) {
    return print(std::string(ToString(role)),
                 [role](const FinalEvent& final) { return RowOf(final, role); });
  };
  print_role(FinalistRole::kUniform8);
  print_role(FinalistRole::kUniform4);
  const Rows program = print_role(FinalistRole::kIntegerProgram);
  const std::vector<Rows> found = {
      print("found, fastest within 3 points on validation",
            [](const FinalEvent& final) { return FastestWithin(final, 3); }),
      print("found, fastest within 1 point on validation",
            [](const FinalEvent& final) { return FastestWithin(final, 1); }),
      print("found, the most accurate on validation",
            [](const FinalEvent& final) { return MostAccurateOnValidation(final); })};
  for (const Rows& each : found) PrintAgainstProgram(paths, each, program);
  PrintTraining(finals);
  return Status();
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: seed_table STUDY...\n");
    return 2;
  }
  const bitpilot::Status status =
      bitpilot::PrintTable(std::vector<std::string>(argv + 1, argv + argc));
  if (status.ok()) return 0;
  std::fprintf(stderr, "seed_table: %s\n", status.message().c_str());
  return 1;
}
