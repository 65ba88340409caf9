// bitpilot search: trains and searches; or resumes.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/budget_outcome.h"
#include "agent/cli/command.h"
#include "agent/cli/search_display.h"
#include "agent/cli/search_result.h"
#include "agent/model/model_definition.h"
#include "agent/qat/quantized_model.h"
#include "agent/session/search_session.h"
#include "kernels/base/quoted.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

constexpr int kMaxMeasurements = 100'000;
constexpr int kMaxTrainBatches = 1'000'000;
constexpr int kMaxTableSeconds = 24 * 3600;

struct SearchFlags {
  SearchConfig config;
  std::string study;
  std::vector<int> widths;
  std::string max_latency;
  std::string max_energy;
  bool no_distill = false;
  bool resume = false;
  bool allow_class_change = false;
  bool audit = false;
  bool json = false;
};

// "0.7x" or "0.7".
Result<double> ParseRatio(const std::string& flag, std::string_view text) {
  const std::string_view number = text.substr(0, text.size() - (text.ends_with('x') ? 1 : 0));
  const Result<double> ratio = ParseNumber<double>(number, 0.0);
  if (ratio.ok() && *ratio > 0) return ratio;
  return InvalidArgument(flag + " takes a ratio to uniform 8 bit such as 0.7x, got " +
                         Quoted(text));
}

// The flags that define a search; a resume takes them from the study instead.
void AddConfigFlags(CLI::App& command, SearchFlags& flags) {
  SearchConfig& config = flags.config;
  command.add_option("--model", config.model, "Network: " + Joined(ModelNames()))
      ->capture_default_str();
  command.add_option("--weights", config.weights,
                     "Its float weights (.safetensors), or \"shipped\": resnet8's are");
  command
      .add_option("--data", config.data,
                  "\"sample\" (shipped), or a folder with CIFAR-10's binary files")
      ->capture_default_str();
  auto* device = command.add_option("--device", config.device,
                                    "local, local:ISA (this machine restricted, e.g. local:avx2) "
                                    "or model:TABLE (a lut.json, a cost "
                                    "table, or a shipped board's name)");
  device->capture_default_str();
  command.add_option("--fleet", config.fleet, "fleet.toml with boards on the network")
      ->excludes(device);
  command.add_option("--board", config.board, "Which board of the fleet file");
  AddCpuFlag(command, config.cpu);
  command.add_flag("--fast", config.fast,
                   "With model:TABLE: it answers at once, not in the time that it claims");
  command
      .add_option("--energy", config.energy,
                  "auto (of the finalists, if the board has a sensor or meter), none, or search "
                  "(of every candidate, as a third objective: 10 s and more each)")
      ->capture_default_str();
  command.add_option("--meter", config.meter,
                     "Program that reads an external meter of a local device, e.g. "
                     "\"meter-replay FILE\"");
  command.add_option("--policy", config.policy, "Search policy: " + Joined(PolicyNames()))
      ->capture_default_str();
  auto* widths =
      command
          .add_option("--widths", flags.widths,
                      "Widths for weights and activations, e.g. 2,4,8 (default 2,3,...,8)")
          ->transform(WholeNumberIn(1, 8))
          ->delimiter(',');
  command.add_option("--weight-widths", config.weight_widths, "Widths for weights only")
      ->transform(WholeNumberIn(1, 8))
      ->delimiter(',')
      ->excludes(widths);
  command
      .add_option("--activation-widths", config.activation_widths, "Widths for activations only")
      ->transform(WholeNumberIn(1, 8))
      ->delimiter(',')
      ->excludes(widths);
  command.add_flag("--search-ends", config.search_ends,
                   "Also search the first and last layer (8 bit otherwise)");
  command.add_option("--max-latency", flags.max_latency,
                     "Budget: ratio to uniform 8 bit, e.g. 0.7x");
  command.add_option("--max-energy", flags.max_energy,
                     "Budget: ratio to uniform 8 bit, e.g. 0.7x; needs a board that measures "
                     "energy, or a model board with energies");
  command.add_option("--max-size", config.budgets.max_weight_bytes, "Budget: packed weight bytes")
      ->transform(WholeNumberIn(1));
  command
      .add_option("--min-accuracy", config.budgets.min_accuracy,
                  "Budget: fraction of the validation images; test images judge nothing")
      ->transform(NumberIn(0.0, 1.0));
  command.add_option("--measurements", config.measurements, "Candidates to run on the board")
      ->transform(WholeNumberIn(1, kMaxMeasurements))
      ->capture_default_str();
  command
      .add_option("--train-batches", config.train_batches,
                  "Mini-batches trained between decisions; 0 searches by calibration alone")
      ->transform(WholeNumberIn(0, kMaxTrainBatches))
      ->capture_default_str();
  command.add_option("--batch-size", config.batch_size, "Images in a mini-batch")
      ->transform(WholeNumberIn(2, kMaxBatchSize))
      ->capture_default_str();
  command
      .add_option("--learning-rate", config.learning_rate, "Adam's, decays to 0 over the search")
      ->transform(NumberIn(0.0))
      ->capture_default_str();
  command.add_flag("--no-distill", flags.no_distill,
                   "Train on labels alone, not on the float network's outputs too");
  command
      .add_option("--calibration-images", config.calibration_images,
                  "Training images that calibration reads")
      ->transform(WholeNumberIn(16, kCalibrationImages))
      ->capture_default_str();
  command
      .add_option(
          "--table-seconds", config.table_seconds,
          "Board time for the table of the layers' times, at most. It is kept in "
          "~/.cache/bitpilot/tables (or $XDG_CACHE_HOME/...): remove a file to measure anew")
      ->transform(WholeNumberIn(1, kMaxTableSeconds))
      ->capture_default_str();
  command.add_option("--seed", config.seed, "Of every random stream")
      ->transform(NumberIn<std::uint64_t>(0))
      ->capture_default_str();
}

Status ApplyDerivedFlags(SearchFlags& flags) {
  SearchConfig& config = flags.config;
  if (!flags.widths.empty()) config.weight_widths = config.activation_widths = flags.widths;
  if (!config.fleet.empty()) config.device.clear();
  config.distill = !flags.no_distill;
  if (!flags.max_latency.empty()) {
    const Result<double> ratio = ParseRatio("--max-latency", flags.max_latency);
    if (!ratio.ok()) return ratio.status();
    config.budgets.max_latency_ratio = *ratio;
  }
  if (!flags.max_energy.empty()) {
    const Result<double> ratio = ParseRatio("--max-energy", flags.max_energy);
    if (!ratio.ok()) return ratio.status();
    config.budgets.max_energy_ratio = *ratio;
  }
  return Status();
}

// A resume continues what the study says, perhaps at another place. Other flags that define a
// search would be ignored, so they are refused.
Status RefuseConfigFlags(const CLI::App& command) {
  const std::set<std::string> allowed = {
      "--study",   "--resume",  "--json", "--audit", "--allow-class-change",
      "-h,--help", "--help",    "--data", "--fleet", "--board",
      "--device",  "--weights", "--cpu",  "--meter"};
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() > 0 && !allowed.contains(option->get_name())) {
      return InvalidArgument(
          option->get_name() +
          " cannot be given with --resume: the study holds the search's settings");
    }
  }
  return Status();
}

std::string WhyNothingWasMeasured(const SearchOutcome& outcome) {
  if (!outcome.first_failure.empty()) return "the first one failed: " + outcome.first_failure;
  for (const FinalRow& row : outcome.final.rows) {
    if (!row.latency_median_ns) {
      return "the final comparison failed: " + row.measure_status + " " + row.measure_detail;
    }
    if (!row.no_energy_reason.empty()) return "energy: " + row.no_energy_reason;
  }
  return "the board gave no reason";
}

// A search that compared nothing found nothing, whatever the budgets. A budget that the user gave
// may be why: then no candidate was small enough to be measured at all.
int FailWithoutMeasurement(const SearchOutcome& outcome, const SearchFlags& flags) {
  const bool all_too_large = outcome.over_size == outcome.decisions && outcome.decisions > 0;
  const std::string why = all_too_large
                              ? "each of the " + std::to_string(outcome.decisions) +
                                    " that the policy proposed is above --max-size " +
                                    std::to_string(*outcome.config.budgets.max_weight_bytes)
                              : WhyNothingWasMeasured(outcome);
  const int exit_code = Fail(Status(StatusCode::kUnavailable,
                                    "no candidate was measured: " + why + "; study " + flags.study),
                             flags.json);
  return all_too_large ? kExitBudgetMissed : exit_code;
}

// What a resume was told to find elsewhere.
MovedParts MovedPartsOf(const CLI::App& command, const SearchConfig& config) {
  const auto given = [&](const char* flag, const std::string& value) {
    return command.count(flag) > 0 ? value : std::string();
  };
  return {given("--weights", config.weights), given("--data", config.data),
          given("--device", config.device),   given("--fleet", config.fleet),
          given("--board", config.board),     given("--cpu", config.cpu),
          given("--meter", config.meter)};
}

int ReportOutcome(const SearchOutcome& outcome, const SearchFlags& flags) {
  if (outcome.interrupted) {
    std::fprintf(stderr,
                 "\nstopped after %d decisions; everything is saved. Go on with:\n  bitpilot "
                 "search --study %s --resume\n",
                 outcome.decisions, flags.study.c_str());
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
    PrintFinalTable(outcome.final, outcome.config.device.starts_with("model:"));
    std::printf("\nhypervolume (validation) %.4f", outcome.final.hypervolume);
    if (outcome.final.energy_hypervolume) {
      std::printf(", with energy %.4f", *outcome.final.energy_hypervolume);
    }
    std::printf("; study %s\n", flags.study.c_str());
  }
  if (AnyCandidateMeetsBudgets(outcome.final)) return kExitDone;
  const std::vector<BudgetDistance> distances = DistancesTo(outcome.config.budgets, outcome.final);
  std::fprintf(stderr, "bitpilot: %s\n", DescribeMissedBudgets(distances).c_str());
  return IsAnyUnknown(distances) ? kExitFailed : kExitBudgetMissed;
}

int RunSearchCommand(const CLI::App& command, SearchFlags& flags) {
  StopOnSignals();
  SearchDisplay display(flags.json);
  SearchOptions options;
  options.study_path = flags.study;
  options.observer = &display;
  options.stop = StopRequested;
  options.allow_class_change = flags.allow_class_change;
  options.long_audit = flags.audit;
  Result<SearchOutcome> outcome = [&]() -> Result<SearchOutcome> {
    if (flags.resume) {
      BITPILOT_RETURN_IF_ERROR(RefuseConfigFlags(command));
      options.moved = MovedPartsOf(command, flags.config);
      return ResumeSearch(options);
    }
    BITPILOT_RETURN_IF_ERROR(ApplyDerivedFlags(flags));
    std::error_code error;
    if (std::filesystem::exists(flags.study, error)) {
      return InvalidArgument(
          flags.study + " exists: go on with it (--resume) or name another file (--study FILE)");
    }
    return StartSearch(flags.config, options);
  }();
  if (!outcome.ok()) return Fail(outcome.status(), flags.json);
  return ReportOutcome(*outcome, flags);
}

}  // namespace

void AddSearchCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "search", "Search bit-widths on a board while training; or resume a search");
  const auto flags = std::make_shared<SearchFlags>();
  command->add_option("--study", flags->study, "The SQLite file that records the search")
      ->required();
  command->add_flag("--resume", flags->resume,
                    "Go on where the study ends. --data, --weights, --fleet, --board, --device, "
                    "--cpu and --meter say where to find what has moved");
  command->add_flag(
      "--allow-class-change", flags->allow_class_change,
      "Resume a training search on another CPU class; its training can then not be repeated");
  command->add_flag("--audit", flags->audit,
                    "Compare the front with 8 bit in 100 rounds of 100 ms at the end, for figures "
                    "that are published, instead of 24 to 40 of 20 ms");
  AddConfigFlags(*command, *flags);
  AddJsonFlag(*command, flags->json);
  command->callback(
      [command, flags, &exit_code] { exit_code = RunSearchCommand(*command, *flags); });
}

}  // namespace bitpilot
