#include "agent/study/chosen_rows.h"

#include <algorithm>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

constexpr double kRounding = 1e-9;  // accuracies are fractions of whole images
// Two latencies nearer than 1 % are called equal, as by the verdicts of a comparison.
constexpr double kLowerRatio = 0.99;

bool IsCandidate(const FinalRow& row) {
  return row.role == FinalistRole::kFront && row.ratio && row.validation_accuracy;
}

// The front has these widths: one network, which stands in the table twice.
bool WasFound(const FinalEvent& final, const FinalRow& row) {
  return std::any_of(final.rows.begin(), final.rows.end(), [&](const FinalRow& other) {
    return other.role == FinalistRole::kFront && !other.assignment_id.empty() &&
           other.assignment_id == row.assignment_id;
  });
}

// Rows that nobody found, with the figures that the rules read.
template <typename IsBefore>
std::vector<const FinalRow*> NotFound(const FinalEvent& final, IsBefore is_before) {
  std::vector<const FinalRow*> rows;
  for (const FinalRow& row : final.rows) {
    if (row.role == FinalistRole::kFront || !row.ratio || !row.validation_accuracy) continue;
    if (WasFound(final, row)) continue;
    if (is_before(row)) rows.push_back(&row);
  }
  return rows;
}

double LeastAccuracyWithin(const FinalEvent& final, double points) {
  return *final.rows.front().validation_accuracy - points / 100 - kRounding;
}

}  // namespace

bool IsReferenceTrained(const FinalEvent& final) {
  if (final.rows.empty() || final.rows.front().final_batches.value_or(0) > 0) return true;
  return std::none_of(final.rows.begin(), final.rows.end(),
                      [](const FinalRow& row) { return row.final_batches.value_or(0) > 0; });
}

const FinalRow* FastestWithin(const FinalEvent& final, double points) {
  if (final.rows.empty() || !final.rows.front().validation_accuracy) return nullptr;
  if (!IsReferenceTrained(final)) return nullptr;
  const double least = LeastAccuracyWithin(final, points);
  const FinalRow* best = nullptr;
  for (const FinalRow& row : final.rows) {
    if (!IsCandidate(row) || *row.validation_accuracy < least) continue;
    if (best == nullptr || *row.ratio < *best->ratio) best = &row;
  }
  return best;
}

const FinalRow* MostAccurateOnValidation(const FinalEvent& final) {
  if (!IsReferenceTrained(final)) return nullptr;
  const FinalRow* best = nullptr;
  for (const FinalRow& row : final.rows) {
    if (!IsCandidate(row)) continue;
    const bool better =
        best == nullptr || *row.validation_accuracy > *best->validation_accuracy ||
        (*row.validation_accuracy == *best->validation_accuracy && *row.ratio < *best->ratio);
    if (better) best = &row;
  }
  return best;
}

std::vector<const FinalRow*> NotFoundButFaster(const FinalEvent& final, double points) {
  const FinalRow* found = FastestWithin(final, points);
  if (found == nullptr) return {};
  const double least = LeastAccuracyWithin(final, points);
  return NotFound(final, [&](const FinalRow& row) {
    return *row.validation_accuracy >= least && *row.ratio < kLowerRatio * *found->ratio;
  });
}

std::vector<const FinalRow*> NotFoundButMoreAccurate(const FinalEvent& final) {
  const FinalRow* found = MostAccurateOnValidation(final);
  if (found == nullptr) return {};
  return NotFound(final, [&](const FinalRow& row) {
    return *row.validation_accuracy > *found->validation_accuracy + kRounding;
  });
}

std::string DescribeChoice(const FinalEvent& final) {
  std::string text;
  const auto add = [&](const char* rule, const FinalRow* row, const char* advantage,
                       const std::vector<const FinalRow*>& before) {
    if (row == nullptr) return;
    text += (text.empty() ? "" : "; ") + std::string(rule) + ": " + row->label;
    if (before.empty()) return;
    text += " (" + std::string(advantage) + ", and not found: " + Joined(before, &FinalRow::label) +
            ")";
  };
  constexpr char kFaster[] = "at a lower ratio";
  add("fastest within 1 point of 8 bit", FastestWithin(final, 1), kFaster,
      NotFoundButFaster(final, 1));
  add("within 3 points", FastestWithin(final, 3), kFaster, NotFoundButFaster(final, 3));
  add("most accurate that was found", MostAccurateOnValidation(final), "more accurate",
      NotFoundButMoreAccurate(final));
  return text;
}

double BudgetedAccuracy(const FinalRow& row) {
  return row.validation_accuracy.value_or(row.test_accuracy);
}

}  // namespace bitpilot
