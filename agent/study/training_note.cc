#include "agent/study/training_note.h"

#include <algorithm>
#include <set>
#include <vector>

#include "agent/study/chosen_rows.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

std::string Batches(std::int64_t count) { return Counted(count, "mini-batch", "mini-batches"); }

bool IsOlder(const FinalEvent& final) {
  return std::any_of(final.rows.begin(), final.rows.end(),
                     [](const FinalRow& row) { return !row.final_batches; });
}

constexpr char kOlder[] =
    "The rows are not trained alike: candidates share one set of weights, trained at the search's "
    "changing widths; uniform 8 bit is calibrated only; uniform 4 bit took the weights at the end, "
    "at the learning rate that the search had come to (0 after a whole search).";

constexpr char kAsTheSearchLeftThem[] =
    "The rows are not trained alike (--final-batches 0): a candidate has the weights as they were "
    "after its own step, the references those of the place where the search stopped or of uniform "
    "8 "
    "bit that trained alone, whichever validated better.";

}  // namespace

std::string DescribeTraining(const FinalEvent& final) {
  const bool any = std::any_of(final.rows.begin(), final.rows.end(), [](const FinalRow& row) {
    return row.mini_batches.value_or(0) > 0;
  });
  if (!any) return {};
  if (IsOlder(final)) return kOlder;
  int batches = 0;
  for (const FinalRow& row : final.rows) batches = std::max(batches, *row.final_batches);
  if (batches == 0) return kAsTheSearchLeftThem;
  const bool from_search =
      std::any_of(final.rows.begin(), final.rows.end(), [](const FinalRow& row) {
        return row.start.value_or(TrainingStart::kCalibrated) != TrainingStart::kCalibrated;
      });
  std::vector<const FinalRow*> diverged;
  for (const FinalRow& row : final.rows) {
    if (*row.final_batches == 0 && row.no_figures_reason.empty()) diverged.push_back(&row);
  }
  std::string text = diverged.empty()
                         ? "The rows are trained alike: after the search each took "
                         : "The rows are not trained alike: after the search each, but for those "
                           "whose training diverged, took ";
  text += Batches(batches) + " at its own widths, with the same schedule, from ";
  text += from_search
              ? "the start that validated better at these widths: the place where the search "
                "stopped (search), or the end of uniform 8 bit that trained alone (twin). What "
                "they do not share: the place where the search stopped may have trained nearer to "
                "some rows' widths than to others'."
              : "the float weights, calibrated.";
  for (const FinalRow* row : diverged) {
    text += " The training of " + row->label + " diverged: it is compared as it was before.";
  }
  if (!IsReferenceTrained(final)) {
    text +=
        " Every difference to uniform 8 bit is to a network that trained less, so no row is "
        "chosen.";
  }
  return text;
}

TrainingBeside TrainingBesideOf(const Anchor& anchor, const FinalEvent& final) {
  TrainingBeside beside;
  if (!anchor.readings.empty()) beside.uniform8_alone = anchor.readings.back().batches;
  std::set<std::string> trained;  // equal widths train once
  for (const FinalRow& row : final.rows) {
    const int batches = row.final_batches.value_or(0);
    if (batches > 0) trained.insert(row.assignment_id);
    beside.final_batches = std::max(beside.final_batches, batches);
  }
  beside.final_networks = static_cast<int>(trained.size());
  return beside;
}

std::string Describe(const TrainingBeside& beside) {
  std::string text;
  if (beside.uniform8_alone > 0) {
    text = "uniform 8 bit alone " + Batches(beside.uniform8_alone) +
           " (or taken from an earlier search with this training)";
  }
  if (beside.final_batches > 0) {
    text += (text.empty() ? "" : "; ") + Counted(beside.final_networks, "network") +
            " of this table " + Batches(beside.final_batches) + " each";
  }
  return text;
}

std::string DescribeTraining(const FinalRow& row) {
  if (!row.mini_batches) return {};
  if (*row.mini_batches == 0) return "calibrated only";
  std::string text = Batches(*row.mini_batches);
  if (row.final_batches.value_or(0) > 0) {
    text += ", the last " + std::to_string(*row.final_batches) + " at these widths";
  }
  if (row.start) text += ", from " + std::string(ToString(*row.start));
  return text;
}

}  // namespace bitpilot
