#include "agent/study/chosen_rows.h"

#include <algorithm>

namespace bitpilot {
namespace {

constexpr double kRounding = 1e-9;  // accuracies are fractions of whole images

bool IsCandidate(const FinalRow& row) {
  return row.role == FinalistRole::kFront && row.ratio && row.validation_accuracy;
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
  const double least = *final.rows.front().validation_accuracy - points / 100 - kRounding;
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

double BudgetedAccuracy(const FinalRow& row) {
  return row.validation_accuracy.value_or(row.test_accuracy);
}

}  // namespace bitpilot
