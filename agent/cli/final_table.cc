#include "agent/cli/final_table.h"

#include <algorithm>
#include <cstdio>
#include <string>

#include "agent/results/repeated_comparison.h"
#include "agent/study/chosen_rows.h"
#include "agent/study/comparison_parts.h"
#include "agent/study/formatted.h"
#include "agent/study/model_source.h"
#include "agent/study/training_note.h"
#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

// What a sensor measured, by its own name; nothing where none did.
void PrintMeasuredEnergies(const FinalEvent& final) {
  const MeasuredEnergy* first = nullptr;
  for (const FinalRow& row : final.rows) {
    if (row.energy && first == nullptr) first = &*row.energy;
  }
  if (first == nullptr) {
    const auto asked = std::find_if(final.rows.begin(), final.rows.end(), [](const FinalRow& row) {
      return !row.no_energy_reason.empty();
    });
    if (asked == final.rows.end()) return;
    const bool of_all = std::all_of(final.rows.begin(), final.rows.end(), [&](const FinalRow& row) {
      return row.no_energy_reason == asked->no_energy_reason;
    });
    std::printf("\nno energy was measured: %s%s\n", of_all ? "" : (asked->label + ": ").c_str(),
                asked->no_energy_reason.c_str());
    return;
  }
  std::printf("\nEnergy of an inference, measured by %s (%s):\n%-16s %-24s %-24s %s\n",
              first->source().c_str(), std::string(ToString(TierOf(first->sensor()))).c_str(),
              "candidate", "gross uJ (95 %)", "net of idle uJ (95 %)", "gross ratio (95 %)");
  for (const FinalRow& row : final.rows) {
    if (!row.energy) {
      const std::string& why =
          row.no_energy_reason.empty() ? row.no_figures_reason : row.no_energy_reason;
      std::printf("%-16s not measured%s%s\n", row.label.c_str(), why.empty() ? "" : ": ",
                  why.c_str());
      continue;
    }
    const auto figure = [](const EnergyFigure& energy) {
      return Formatted("%.2f +- %.2f", energy.value_uj, energy.uncertainty_uj);
    };
    std::printf("%-16s %-24s %-24s %s\n", row.label.c_str(), figure(row.energy->gross()).c_str(),
                row.energy->net() ? figure(*row.energy->net()).c_str() : "idle shifted",
                row.energy_ratio ? Formatted("%.3f +- %.3f", row.energy_ratio->value,
                                             row.energy_ratio->uncertainty)
                                       .c_str()
                                 : "-");
  }
}

// What a model claims, in its own unit.
void PrintModelEnergies(const FinalEvent& final) {
  bool any = false;
  for (const FinalRow& row : final.rows) {
    if (!row.model_energy) continue;
    if (!any) {
      const std::string error = row.model_energy_error
                                    ? Formatted(", +- %.1f %%", *row.model_energy_error * 100.0)
                                    : std::string();
      std::printf("\nEnergy as the model claims it, %s (%s%s; nothing was measured):\n",
                  row.model_energy_unit.c_str(), row.source.c_str(), error.c_str());
    }
    any = true;
    std::printf("%-16s %12.4g %s\n", row.label.c_str(), *row.model_energy,
                row.model_energy_ratio ? Formatted("%8.3fx", *row.model_energy_ratio).c_str() : "");
  }
}

// "front 1 and front 2" of every two candidates of the search that the rounds do not tell apart.
std::string NotToldApart(const FinalEvent& final) {
  std::vector<std::string> pairs;
  for (std::size_t i = 0; i < final.rows.size(); ++i) {
    const FinalRow& row = final.rows[i];
    if (IsReference(row.role)) continue;
    for (const int index : row.as_fast_as) {
      const auto position = static_cast<std::size_t>(index);
      if (position <= i) continue;  // of each pair once
      const FinalRow& other = final.rows[position];
      // Two rows of one network are as fast: nobody asks.
      if (IsReference(other.role) || other.assignment_id == row.assignment_id) continue;
      pairs.push_back(row.label + " and " + other.label);
    }
  }
  return Joined(pairs);
}

// Who is shown first, chosen without the test images; and what training the rows had.
void PrintChoiceAndTraining(const FinalEvent& final) {
  const std::string chosen = DescribeChoice(final);
  if (!chosen.empty()) std::printf("\nchosen by validation images: %s\n", chosen.c_str());
  const std::string training = DescribeTraining(final);
  if (!training.empty()) {
    std::printf("\nmini-batches are those that a row's weights had had. %s\n", training.c_str());
  }
  if (final.test_readings > 1) {
    std::printf("\nthe search was extended: the test images were read %d times\n",
                final.test_readings);
  }
}

// What the rounds allow to say, and why they may be disturbed.
void PrintTrust(const FinalEvent& final) {
  const std::string pairs = NotToldApart(final);
  if (!pairs.empty()) {
    std::printf("\nthe interleaved rounds do not tell which is faster: %s\n", pairs.c_str());
  }
  const std::string parts = DescribeParts(final);
  if (!parts.empty()) std::printf("\n%s\n", parts.c_str());
  const auto noisy = std::find_if(final.rows.begin(), final.rows.end(), [](const FinalRow& row) {
    return row.measure_status == "NOISY";
  });
  const bool is_noisy = noisy != final.rows.end();
  const std::string comparisons = DescribeComparisons(
      is_noisy, is_noisy ? noisy->measure_detail : std::string(), final.comparisons);
  if (!comparisons.empty()) std::printf("\n%s\n", comparisons.c_str());
}

std::string BatchesOf(const FinalRow& row) {
  if (!row.mini_batches) return "-";
  return std::to_string(*row.mini_batches) +
         (row.start ? " " + std::string(ToString(*row.start)) : std::string());
}

// References are there to compare with: they promise nothing. Nor does a row where nothing was asked.
const char* BudgetOf(const FinalRow& row, bool has_budget) {
  if (IsReference(row.role)) return "reference";
  if (!has_budget) return "none given";
  return row.budget_met ? "met" : "MISSED";
}

// What each row costs on each of several classes, and on which board that was measured.
void PrintClasses(const FinalEvent& final) {
  for (const ClassFinal& one : final.classes) {
    const std::string source = ModelSourceOf(one.rows);
    const std::string model =
        source.empty() ? "" : ", " + source + ", a table that answers: nothing was measured there";
    std::printf("\nOn class %s%s (its own front is marked with *):\n", one.on.c_str(),
                model.c_str());
    for (std::size_t i = 0; i < one.rows.size(); ++i) {
      const FinalRow& row = one.rows[i];
      if (!row.ratio || !row.latency_median_ns) {
        std::printf("  %-16s not measured\n", row.label.c_str());
        continue;
      }
      const bool is_front =
          std::find(one.front.begin(), one.front.end(), static_cast<int>(i)) != one.front.end();
      std::printf("%s %-16s %10.2f us %8.3fx (%.3f..%.3f) on %s%s\n", is_front ? "*" : " ",
                  row.label.c_str(), *row.latency_median_ns / 1e3, *row.ratio, row.ratio_low,
                  row.ratio_high, row.board.c_str(), source.empty() ? "" : ", MODEL");
    }
  }
}

// With the space behind it; nothing of several classes.
std::string LatencyCell(const FinalEvent& final, const std::string& text) {
  return final.classes.empty() ? Formatted("%-30s ", text.c_str()) : std::string();
}

std::string LatencyOf(const FinalRow& row) {
  if (!row.latency_median_ns) return "not measured";
  return Formatted("%.2f (%.2f..%.2f)", *row.latency_median_ns / 1e3, row.latency_low_ns / 1e3,
                   row.latency_high_ns / 1e3);
}

// Of several classes with the one that it is of.
std::string RatioOf(const FinalEvent& final, const FinalRow& row) {
  if (!row.ratio) return "-";
  const std::string text =
      Formatted("%.3f (%.3f..%.3f)", *row.ratio, row.ratio_low, row.ratio_high);
  if (final.classes.empty()) return text;
  return text + (row.on.empty() ? "" : " on " + row.on) + (IsModelRow(final, row) ? ", MODEL" : "");
}

}  // namespace

void PrintFinalTable(const FinalEvent& final, bool has_budget) {
  const bool is_model = !ModelSourceOf(final.rows).empty();
  const int ratio_width = final.classes.empty() ? 20 : 36;
  std::printf("\n%-16s %-16s %10s %-25s %-27s %s%-*s %-13s %9s %s\n", "candidate", "mini-batches",
              "validation", "test accuracy (95 %)", "vs 8 bit, paired (95 %)",
              LatencyCell(final, is_model ? "MODEL latency us" : "latency us (interval)").c_str(),
              ratio_width, "ratio (interval)", "than 8 bit", "weights B", "budget");
  for (const FinalRow& row : final.rows) {
    if (!row.no_figures_reason.empty()) {
      std::printf("%-16s not compared: %s\n", row.label.c_str(), row.no_figures_reason.c_str());
      continue;
    }
    const std::string speed(row.speed ? ToString(*row.speed) : "-");
    std::printf(
        "%-16s %-16s %10s %-25s %-27s %s%-*s %-13s %9lld %s\n", row.label.c_str(),
        BatchesOf(row).c_str(),
        row.validation_accuracy ? Formatted("%.4f", *row.validation_accuracy).c_str() : "-",
        Formatted("%.4f (%.4f..%.4f)", row.test_accuracy, row.accuracy_low, row.accuracy_high)
            .c_str(),
        Formatted("%+.4f (%+.4f..%+.4f)", row.paired_difference, row.paired_low, row.paired_high)
            .c_str(),
        LatencyCell(final, LatencyOf(row)).c_str(), ratio_width, RatioOf(final, row).c_str(),
        speed.c_str(), static_cast<long long>(row.weight_bytes), BudgetOf(row, has_budget));
  }
  if (!final.no_uniform4.empty()) {
    std::printf("\nwithout uniform 4 bit: %s\n", final.no_uniform4.c_str());
  }
  PrintChoiceAndTraining(final);
  PrintTrust(final);
  PrintMeasuredEnergies(final);
  PrintModelEnergies(final);
  PrintClasses(final);
  if (!final.full_isa) return;
  std::printf("\nThe same candidates on this machine's full instruction set (%s):\n",
              final.full_isa->isa.c_str());
  for (const FullIsaRow& row : final.full_isa->rows) {
    const std::string& label = final.rows.at(static_cast<std::size_t>(row.row)).label;
    std::printf("%-16s %10.2f us %8.3fx\n", label.c_str(), row.latency_median_ns / 1e3, row.ratio);
  }
  const FullIsa& full = *final.full_isa;
  const std::string comparisons =
      DescribeComparisons(full.measure_status == "NOISY", full.measure_detail, full.comparisons);
  if (!comparisons.empty()) std::printf("%s\n", comparisons.c_str());
}

}  // namespace bitpilot
