// bitpilot search: trains and searches; or resumes.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/budget_outcome.h"
#include "agent/cli/command.h"
#include "agent/cli/final_table.h"
#include "agent/cli/search_display.h"
#include "agent/cli/search_flags.h"
#include "agent/cli/search_metrics.h"
#include "agent/cli/search_result.h"
#include "agent/session/search_session.h"
#include "agent/study/resume_command.h"
#include "agent/study/training_note.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

std::string WhyNothingWasMeasured(const SearchOutcome& outcome) {
  if (!outcome.first_failure.empty()) return "the first one failed: " + outcome.first_failure;
  for (const FinalRow& row : outcome.final.rows) {
    if (!row.no_figures_reason.empty()) continue;
    if (!row.latency_median_ns) {
      return "the final comparison failed: " + row.measure_status + " " + row.measure_detail;
    }
    if (!row.no_energy_reason.empty()) return "energy: " + row.no_energy_reason;
  }
  return "the board gave no reason";
}

// A search that compared nothing found nothing, whatever the budgets.
int FailWithoutMeasurement(const SearchOutcome& outcome, const SearchFlags& flags) {
  return Fail(Status(StatusCode::kUnavailable,
                     "no candidate was measured: " + WhyNothingWasMeasured(outcome) + "; study " +
                         flags.study),
              flags.json);
}

int ReportOutcome(const SearchOutcome& outcome, const SearchFlags& flags) {
  if (outcome.interrupted) {
    std::fprintf(stderr, "\nstopped after %s; what was finished is saved. Go on with:\n  %s\n",
                 Counted(outcome.decisions, "decision").c_str(),
                 ResumeCommand(flags.study).c_str());
    if (flags.json) {
      PrintJson({{"type", "result"},
                 {"interrupted", true},
                 {"measurements", outcome.decisions},
                 {"study", flags.study}});
    }
    return kExitFailed;
  }
  if (!AnyCandidateWasMeasured(outcome.final)) return FailWithoutMeasurement(outcome, flags);
  if (flags.json) {
    PrintJson(SearchResultLine(outcome, flags.study));
  } else {
    PrintFinalTable(outcome.final, HasBudget(outcome.config.budgets));
    std::printf("\nhypervolume (validation) %.4f", outcome.final.hypervolume);
    if (outcome.final.energy_hypervolume) {
      std::printf(", with energy %.4f", *outcome.final.energy_hypervolume);
    }
    std::printf("; study %s\n", flags.study.c_str());
    const std::string beside = Describe(TrainingBesideOf(outcome.anchor, outcome.final));
    if (!beside.empty()) std::printf("trained outside of the budgets: %s\n", beside.c_str());
    std::printf("draw it with: %s\n", ReportCommand(flags.study).c_str());
  }
  if (AnyCandidateMeetsBudgets(outcome.final)) return kExitDone;
  const std::vector<BudgetDistance> distances = DistancesTo(outcome.config.budgets, outcome.final);
  std::fprintf(stderr, "bitpilot: %s\n", DescribeMissedBudgets(distances).c_str());
  return IsAnyUnknown(distances) ? kExitFailed : kExitBudgetMissed;
}

int RunSearchCommand(const CLI::App& command, SearchFlags& flags) {
  StopOnSignals();
  SearchDisplay display(flags.json);
  SearchMetrics metrics(flags.metrics, flags.study, display);
  SearchOptions options;
  options.study_path = flags.study;
  options.observer = flags.metrics.empty() ? static_cast<SearchObserver*>(&display) : &metrics;
  options.stop = StopRequested;
  options.allow_class_change = flags.allow_class_change;
  options.long_audit = flags.audit;
  options.lease = flags.lease;
  options.predicts_missing = flags.on_missing == "surrogate";
  if (flags.max_wait_s) {
    options.max_wait = std::chrono::milliseconds(std::llround(1e3 * *flags.max_wait_s));
  }
  Result<SearchOutcome> outcome = [&]() -> Result<SearchOutcome> {
    BITPILOT_RETURN_IF_ERROR(CheckSearchStudy(command, flags));
    BITPILOT_RETURN_IF_ERROR(metrics.Begin());
    if (flags.resume) {
      options.moved = MovedPartsOf(command, flags.values);
      if (command.count("--measurements") > 0) {
        options.more_measurements = flags.values.config.measurements;
      }
      return ResumeSearch(options);
    }
    return StartSearch(ConfigOf(flags.values), options);
  }();
  if (!outcome.ok()) return Fail(outcome.status(), flags.json);
  return ReportOutcome(*outcome, flags);
}

}  // namespace

void AddSearchCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<SearchFlags>();
  CLI::App* command = AddSearchCommandFlags(app, *flags);
  command->callback(
      [command, flags, &exit_code] { exit_code = RunSearchCommand(*command, *flags); });
}

}  // namespace bitpilot
