#include "agent/session/problem_setup.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/qat/integer_evaluation.h"
#include "agent/qat/sensitivity.h"
#include "agent/session/board_table.h"
#include "agent/session/decision_variables.h"
#include "agent/session/energy_objective.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/network_file.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

std::vector<std::string> LayerNames(const Topology& topology) {
  std::vector<std::string> names;
  for (const int operation : LayerOperations(topology)) {
    names.push_back(topology.operations[static_cast<std::size_t>(operation)].name);
  }
  return names;
}

std::vector<std::string> TensorNames(const Topology& topology) {
  std::vector<std::string> names;
  names.reserve(static_cast<std::size_t>(topology.num_stored_tensors()));
  for (int tensor = 0; tensor < topology.num_stored_tensors(); ++tensor)
    names.push_back(TensorName(topology, tensor));
  return names;
}

// Uniform 8 bit, calibrated from the float weights: made when the first live part of the setup asks
// for it.
class Uniform8 {
 public:
  Uniform8(const Topology& topology, const SearchResources& resources, const StudyFiles& files)
      : assignment_(UniformAssignment(topology, 8, 8)), resources_(resources), files_(files) {}

  const BitAssignment& assignment() const { return assignment_; }

  Result<const Network*> Get() {
    if (!network_) {
      BITPILOT_RETURN_IF_ERROR(resources_.model->SetAssignment(assignment_));
      resources_.model->Calibrate(*resources_.calibration);
      network_ = resources_.model->Export();
      const Result<StoredFile> file =
          files_.Put(StudyFileKind::kNetwork, SerializeNetwork(*network_));
      if (!file.ok()) return file.status();
      sha256_ = file->sha256;
    }
    return &*network_;
  }

  // REQUIRES: Get() succeeded.
  const std::string& sha256() const { return sha256_; }

 private:
  BitAssignment assignment_;
  const SearchResources& resources_;
  const StudyFiles& files_;
  std::optional<Network> network_;
  std::string sha256_;
};

Status CheckMeasured(const MeasurementRow& reference) {
  if (reference.latency_median_ns) return Status();
  return Status(StatusCode::kUnavailable, "the board could not measure uniform 8 bit: " +
                                              reference.status + " " + reference.detail);
}

// What is not measured is not logged: a search that is resumed measures it again.
Result<MeasurementRow> MeasureReference(Uniform8& uniform8, Board* board, Journal& journal) {
  const std::string id = "reference-uniform-8";
  const auto measure = [&]() -> Result<std::vector<MeasurementRow>> {
    const Result<const Network*> network = uniform8.Get();
    if (!network.ok()) return network.status();
    MeasureJob job;
    job.networks = {*network};
    job.tier = Tier::kStandard;
    const Result<Measurement> measurement = board->Measure(job);
    if (!measurement.ok()) return measurement.status();
    std::vector<MeasurementRow> rows =
        ToRows(*measurement, job.tier, board->info(), {{id, uniform8.assignment()}});
    BITPILOT_RETURN_IF_ERROR(CheckMeasured(rows.front()));
    return rows;
  };
  Result<std::vector<MeasurementRow>> rows = journal.ObserveMeasurements({id}, measure);
  if (!rows.ok()) return rows.status();
  // An older bitpilot logged it all the same.
  BITPILOT_RETURN_IF_ERROR(CheckMeasured(rows->front()));
  return std::move(rows->front());
}

std::string WhyNoUniform4(const SearchConfig& config, std::string of_the_table) {
  for (const std::vector<int>* widths : {&config.weight_widths, &config.activation_widths}) {
    if (std::find(widths->begin(), widths->end(), 4) == widths->end()) {
      return "4 is not among the widths that were searched";
    }
  }
  return of_the_table;
}

// What follows from flags and measurements: all but losses, accuracies and sensitivities.
Result<ProblemEvent> KnownProblem(const Topology& topology, const SearchConfig& config,
                                  const MeasurementRow& reference, TableFacts table) {
  ProblemEvent event;
  event.layers = LayerNames(topology);
  event.tensors = TensorNames(topology);
  event.variables = MakeDecisionVariables(topology, config);
  event.table = std::move(table.text);
  event.table_sha256 = Sha256Hex(event.table);
  event.table_origin = table.origin;
  event.table_board_seconds = table.board_seconds;
  event.no_uniform4 = WhyNoUniform4(config, std::move(table.no_uniform4));
  const Result<BoardInfo> board = ParseEvent<BoardInfo>(reference.board);
  if (!board.ok()) return board.status();
  const Result<EnergyObjective> energy = ChooseEnergyObjective(config, *board, reference);
  if (!energy.ok()) return energy.status();
  event.energy_objective = *energy;
  event.uniform8.latency_ns = *reference.latency_median_ns;
  return event;
}

}  // namespace

Result<ProblemSetup> SetUpProblem(const Topology& topology, const SearchConfig& config,
                                  const SearchResources& resources, Journal& journal,
                                  const StudyFiles& files, SearchObserver& observer,
                                  const std::function<bool()>& stop) {
  if (journal.recording()) observer.OnPhase("calibrating and measuring uniform 8 bit", 0);
  Uniform8 uniform8(topology, resources, files);
  const Result<MeasurementRow> reference = MeasureReference(uniform8, resources.board, journal);
  if (!reference.ok()) return reference.status();

  const auto observe = [&]() -> Result<ProblemEvent> {
    Result<TableFacts> table = BoardTable(topology, config, *resources.board, observer, stop);
    if (!table.ok()) return table.status();
    Result<ProblemEvent> known = KnownProblem(topology, config, *reference, std::move(*table));
    if (!known.ok()) return known;
    ProblemEvent& event = *known;
    const Result<const Network*> network = uniform8.Get();
    if (!network.ok()) return network.status();
    event.uniform8_sha256 = uniform8.sha256();
    const Result<Evaluation> evaluation = EvaluateInteger(**network, resources.data->validation);
    if (!evaluation.ok()) return evaluation.status();
    event.uniform8.loss = evaluation->loss;
    event.uniform8.accuracy = evaluation->accuracy;
    event.float_accuracy = resources.model->EvaluateFloat(resources.data->validation).accuracy;
    observer.OnPhase("probing how sensitive the loss is to every width",
                     static_cast<int>(event.variables.size()));
    const auto progress = [&](int done, const std::string& name) {
      observer.OnProgress(done, name);
      return !stop();
    };
    const Result<std::vector<std::vector<double>>> sensitivities =
        ProbeSensitivity(*resources.model, *resources.calibration, event.variables, progress);
    if (!sensitivities.ok()) return sensitivities.status();
    for (std::size_t v = 0; v < event.variables.size(); ++v)
      event.variables[v].sensitivity = (*sensitivities)[v];
    return known;
  };
  const auto recompute = [&](const ProblemEvent& logged) -> Result<ProblemEvent> {
    Result<ProblemEvent> known = KnownProblem(
        topology, config, *reference,
        {logged.table, logged.table_origin, logged.table_board_seconds, logged.no_uniform4});
    if (!known.ok()) return known;
    known->uniform8_sha256 = logged.uniform8_sha256;
    known->uniform8.loss = logged.uniform8.loss;
    known->uniform8.accuracy = logged.uniform8.accuracy;
    known->float_accuracy = logged.float_accuracy;
    for (std::size_t v = 0; v < known->variables.size() && v < logged.variables.size(); ++v)
      known->variables[v].sensitivity = logged.variables[v].sensitivity;
    return known;
  };
  Result<ProblemEvent> event = journal.Observe<ProblemEvent>(observe, recompute);
  if (!event.ok()) return event.status();
  return ProblemOf(topology, config, std::move(*event));
}

Result<ProblemSetup> ProblemOf(const Topology& topology, const SearchConfig& config,
                               ProblemEvent event) {
  // The logged table is what decisions used: its text rounds, so the parsed form counts in a live
  // run too.
  Result<CostTable> table = ParseCostTable(event.table);
  if (!table.ok()) return table.status();

  ProblemSetup setup;
  SearchProblem& problem = setup.problem;
  problem.topology = topology;
  problem.base = UniformAssignment(topology, 8, 8);
  problem.variables = std::move(event.variables);
  problem.table = std::move(*table);
  problem.uniform8 = event.uniform8;
  problem.budgets = config.budgets;
  problem.energy_objective = event.energy_objective;
  problem.max_measurements = config.measurements;
  problem.batches_per_step = config.train_batches;
  problem.final_batches = config.final_batches.value_or(0);
  setup.uniform8 = NetworkFile(event.uniform8_sha256, kOlderUniform8File);
  setup.no_uniform4 = std::move(event.no_uniform4);
  return setup;
}

}  // namespace bitpilot
