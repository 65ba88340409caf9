// Mean and spread, over studies that differ in their seed, of the rows that a search shows first.
// See README.md beside this file.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/study/chosen_rows.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "agent/study/training_note.h"

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
  std::string text;
  for (const auto& [start, count] : counts) {
    text += (text.empty() ? "" : ", ") + std::string(start) + " " + std::to_string(count);
  }
  return text.empty() ? "-" : text;
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
  const auto print = [&](const char* name, auto choose) {
    std::vector<const FinalRow*> rows;
    for (const FinalEvent& final : finals) rows.push_back(choose(final));
    PrintRow(name, rows, finals.size());
  };
  for (const FinalistRole role :
       {FinalistRole::kUniform8, FinalistRole::kUniform4, FinalistRole::kIntegerProgram}) {
    print(std::string(ToString(role)).c_str(),
          [role](const FinalEvent& final) { return RowOf(final, role); });
  }
  print("found, fastest within 3 points on validation",
        [](const FinalEvent& final) { return FastestWithin(final, 3); });
  print("found, fastest within 1 point on validation",
        [](const FinalEvent& final) { return FastestWithin(final, 1); });
  print("found, the most accurate on validation",
        [](const FinalEvent& final) { return MostAccurateOnValidation(final); });
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
