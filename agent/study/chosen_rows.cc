#include "agent/study/chosen_rows.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

constexpr double kRounding = 1e-9;  // accuracies are fractions of whole images
// What a ratio must be below to be lower than 1. Between rows that were found any difference decides; a
// row that no search found is named only where it is lower by more than 1 %: two latencies nearer than
// that are called equal, as by the verdicts of a comparison.
constexpr double kAnyLower = 1.0;
constexpr double kLowerRatio = 0.99;

bool HasFigures(const FinalRow& row) { return row.ratio && row.validation_accuracy; }

bool IsCandidate(const FinalRow& row) { return IsFound(row.role) && HasFigures(row); }

// The rules, of two rows with figures.
bool IsFaster(const FinalRow& row, const FinalRow& other, double lower) {
  return *row.ratio < lower * *other.ratio;
}
bool IsMoreAccurate(const FinalRow& row, const FinalRow& other, double lower) {
  const double difference = *row.validation_accuracy - *other.validation_accuracy;
  if (std::abs(difference) > kRounding) return difference > 0.0;
  return IsFaster(row, other, lower);
}

// A row that was found has these widths: one network, which stands in the table twice.
bool WasFound(const FinalEvent& final, const FinalRow& row) {
  return std::any_of(final.rows.begin(), final.rows.end(), [&](const FinalRow& other) {
    return IsCandidate(other) && !other.assignment_id.empty() &&
           other.assignment_id == row.assignment_id;
  });
}

// Rows from no search that `is_before` puts before `found`, or before uniform 8 bit where nobody was found.
template <typename IsBefore>
std::vector<const FinalRow*> NotFromSearch(const FinalEvent& final, const FinalRow* found,
                                           IsBefore is_before) {
  if (final.rows.empty() || !IsReferenceTrained(final)) return {};
  const FinalRow& other = found != nullptr ? *found : final.rows.front();
  if (!HasFigures(other)) return {};
  std::vector<const FinalRow*> rows;
  for (const FinalRow& row : final.rows) {
    if (IsFound(row.role) || !HasFigures(row) || WasFound(final, row)) continue;
    if (is_before(row, other)) rows.push_back(&row);
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
    if (best == nullptr || IsFaster(row, *best, kAnyLower)) best = &row;
  }
  return best;
}

const FinalRow* MostAccurateOnValidation(const FinalEvent& final) {
  if (!IsReferenceTrained(final)) return nullptr;
  const FinalRow* best = nullptr;
  for (const FinalRow& row : final.rows) {
    if (!IsCandidate(row)) continue;
    if (best == nullptr || IsMoreAccurate(row, *best, kAnyLower)) best = &row;
  }
  return best;
}

std::vector<const FinalRow*> NotFromSearchButFaster(const FinalEvent& final, double points) {
  if (final.rows.empty() || !final.rows.front().validation_accuracy) return {};
  const double least = LeastAccuracyWithin(final, points);
  return NotFromSearch(
      final, FastestWithin(final, points), [&](const FinalRow& row, const FinalRow& other) {
        return *row.validation_accuracy >= least && IsFaster(row, other, kLowerRatio);
      });
}

std::vector<const FinalRow*> NotFromSearchButMoreAccurate(const FinalEvent& final) {
  return NotFromSearch(final, MostAccurateOnValidation(final),
                       [](const FinalRow& row, const FinalRow& other) {
                         return IsMoreAccurate(row, other, kLowerRatio);
                       });
}

std::string DescribeChoice(const FinalEvent& final) {
  std::string text;
  const auto add = [&](const char* rule, const FinalRow* row, const char* advantage,
                       const std::vector<const FinalRow*>& before) {
    if (row == nullptr && before.empty()) return;
    text += (text.empty() ? "" : "; ") + std::string(rule) + ": " +
            (row != nullptr ? row->label : "none found");
    if (before.empty()) return;
    text += " (" + std::string(advantage) +
            ", and not from the search: " + Joined(before, &FinalRow::label) + ")";
  };
  const auto add_fastest = [&](const char* rule, double points) {
    const FinalRow* found = FastestWithin(final, points);
    add(rule, found, found != nullptr ? "at a lower ratio" : "faster than 8 bit",
        NotFromSearchButFaster(final, points));
  };
  add_fastest("fastest within 1 point of 8 bit", 1);
  add_fastest("within 3 points", 3);
  const FinalRow* found = MostAccurateOnValidation(final);
  add(found != nullptr ? "most accurate that was found" : "most accurate", found,
      found != nullptr ? "more accurate, or as accurate at a lower ratio" : "before 8 bit",
      NotFromSearchButMoreAccurate(final));
  return text;
}

double BudgetedAccuracy(const FinalRow& row) {
  return row.validation_accuracy.value_or(row.test_accuracy);
}

}  // namespace bitpilot
