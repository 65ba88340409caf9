// bitpilot fit-energy: a model of a board's energy from what its sensor measured.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/model/bit_spec.h"
#include "agent/model/model_definition.h"
#include "agent/profile/fit_energy.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

struct FitFlags {
  std::string study;
  std::string output;
  bool json = false;
};

// What the study knows: its network, the board's table of times, and the energies.
struct FitInputs {
  Topology topology;
  CostTable table;
  std::vector<EnergySample> samples;
};

Result<CostTable> TableOf(const Study& study) {
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  for (const Event& event : *events) {
    if (event.kind != ProblemEvent::kKind) continue;
    const Result<ProblemEvent> problem = ParseEvent<ProblemEvent>(event.payload);
    if (!problem.ok()) return problem.status();
    return ParseCostTable(problem->table);
  }
  return Status(StatusCode::kNotFound, "the study holds no table of the board's times yet");
}

Result<FitInputs> ReadInputs(const Study& study) {
  const auto config = nlohmann::json::parse(study.config_json(), nullptr, false);
  const bool names_model =
      config.is_object() && config.contains("model") && config["model"].is_string();
  const Result<ModelDefinition> model =
      FindModel(names_model ? config["model"].get<std::string>() : std::string());
  if (!model.ok()) return model.status();
  Result<CostTable> table = TableOf(study);
  if (!table.ok()) return table.status();
  const Result<std::vector<MeasurementRow>> rows = study.Measurements();
  if (!rows.ok()) return rows.status();
  FitInputs inputs{model->topology, std::move(*table), {}};
  for (const MeasurementRow& row : *rows) {
    if (!row.energy) continue;
    Result<BitAssignment> assignment = ParseCanonicalAssignment(inputs.topology, row.assignment);
    if (!assignment.ok()) return assignment.status().WithContext(row.measurement_id);
    inputs.samples.push_back({std::move(*assignment), *row.energy});
  }
  if (!inputs.samples.empty()) return inputs;
  return Status(StatusCode::kNotFound,
                "the study holds no measured energy; search with --energy search on a board that "
                "has a sensor or meter");
}

void PrintFit(const EnergyFit& fit, const FitFlags& flags) {
  if (flags.json) {
    PrintJson({{"type", "result"},
               {"tier", ToString(EnergyTier::kModelFitted)},
               {"output", flags.output},
               {"sensor", fit.sensor},
               {"networks", fit.num_networks},
               {"uj_per_ns", fit.uj_per_ns},
               {"uj_per_product", fit.uj_per_product},
               {"uj_per_weight_byte", fit.uj_per_weight_byte},
               {"relative_error", fit.relative_error},
               {"worst_relative_error", fit.worst_relative_error},
               {"r_squared", fit.r_squared}});
    return;
  }
  std::fprintf(
      flags.output == kStandardOutput ? stderr : stdout,
      "MODEL_FITTED to %d networks measured by %s:\n"
      "  %.4g W over the table's time, %.4g pJ a product of 8 by 8 bits, %.4g nJ a weight byte\n"
      "  R2 %.3f; of a network that it has not seen: error %.1f %% (95 %%), worst %.1f %%\n"
      "wrote %s: a model, for --device model:%s on boards of the same kind\n",
      fit.num_networks, fit.sensor.c_str(), fit.uj_per_ns * 1e3, fit.uj_per_product * 1e6,
      fit.uj_per_weight_byte * 1e3, fit.r_squared, 100.0 * fit.relative_error,
      100.0 * fit.worst_relative_error, flags.output.c_str(), flags.output.c_str());
}

// The table goes to standard output, what is said of it to standard error.
Status WriteTable(const FitFlags& flags, const CostTable& table) {
  const std::string text = FormatCostTable(table);
  if (flags.output != kStandardOutput) return WriteFileAtomically(flags.output, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return FlushStandardOutput();
}

int RunFit(const FitFlags& flags) {
  const Status output = CheckOutput("--output", flags.output, flags.json, {flags.study});
  if (!output.ok()) return Fail(output, flags.json);
  const Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(flags.study);
  if (!study.ok()) return Fail(study.status(), flags.json);
  const Result<FitInputs> inputs = ReadInputs(**study);
  if (!inputs.ok())
    return Fail(inputs.status().WithContext(flags.study).AsCorruptInput(), flags.json);
  const Result<EnergyFit> fit = FitEnergy(inputs->topology, inputs->table, inputs->samples);
  if (!fit.ok()) return Fail(fit.status().WithContext(flags.study).AsCorruptInput(), flags.json);
  const CostTable table = WithFittedEnergies(inputs->topology, inputs->table, *fit);
  const Status written = WriteTable(flags, table);
  if (!written.ok()) return Fail(written, flags.json);
  PrintFit(*fit, flags);
  return kExitDone;
}

}  // namespace

void AddFitEnergyCommand(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "fit-energy", "Fit a model of a board's energy to the energies that a study measured there");
  const auto flags = std::make_shared<FitFlags>();
  command->add_option("STUDY", flags->study, "A study with measured energies")->required();
  command
      ->add_option("-o,--output", flags->output,
                   "The cost table to write, a model board; - for standard output")
      ->required();
  AddJsonFlag(*command, flags->json);
  command->callback([flags, &exit_code] { exit_code = RunFit(*flags); });
}

}  // namespace bitpilot
