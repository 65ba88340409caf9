#include "agent/session/problem_setup.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/qat/integer_evaluation.h"
#include "agent/qat/sensitivity.h"
#include "agent/session/board_table.h"
#include "agent/session/decision_variables.h"
#include "agent/session/energy_objective.h"
#include "agent/session/joint_problem.h"
#include "agent/study/measurement_rows.h"
#include "kernels/base/joined.h"
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
//
// class_number: of the search's classes, from 1.
Result<MeasurementRow> MeasureReference(Uniform8& uniform8, const ClassId& on, int class_number,
                                        ClassBoards* boards, Journal& journal) {
  const std::string id =
      "reference-uniform-8" + (class_number == 1 ? "" : "-class-" + std::to_string(class_number));
  std::string owed;  // the measure id of what is logged now
  const auto measure = [&]() -> Result<std::vector<MeasurementRow>> {
    const Result<const Network*> network = uniform8.Get();
    if (!network.ok()) return network.status();
    MeasureJob job;
    job.name = journal.RequestName(id);
    job.networks = {*network};
    job.tier = Tier::kStandard;
    Board& board = boards->BoardOf(on);
    const Result<Measurement> measurement = board.Measure(job);
    if (!measurement.ok()) return measurement.status();
    std::vector<MeasurementRow> rows =
        ToRows(*measurement, job.tier, board.info(), {{id, uniform8.assignment()}},
               {on, board.listed_name()});
    const Status measured = CheckMeasured(rows.front());
    if (!measured.ok()) board.Recorded(measurement->measure_id);
    BITPILOT_RETURN_IF_ERROR(measured);
    owed = measurement->measure_id;
    return rows;
  };
  Result<std::vector<MeasurementRow>> rows = journal.ObserveMeasurements({id}, measure);
  if (!rows.ok()) return rows.status();
  if (!owed.empty()) boards->BoardOf(on).Recorded(owed);
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

// The energy that all classes can give.
Result<EnergyObjective> EnergyOf(const SearchConfig& config,
                                 const std::vector<MeasurementRow>& references) {
  std::optional<EnergyObjective> of_all;
  for (const MeasurementRow& reference : references) {
    const Result<BoardInfo> board = ParseEvent<BoardInfo>(reference.board);
    if (!board.ok()) return board.status();
    const Result<EnergyObjective> energy = ChooseEnergyObjective(config, *board, reference);
    if (!energy.ok()) return energy.status();
    if (of_all && *of_all != *energy) {
      return Unsupported(
          "--energy search and --max-energy: some classes measure energy and others are models, "
          "whose "
          "figures cannot be compared");
    }
    of_all = *energy;
  }
  return *of_all;
}

// What follows from flags and measurements: all but losses, accuracies and sensitivities.
//
// references, tables: parallel to the search's classes.
Result<ProblemEvent> KnownProblem(const Topology& topology, const SearchConfig& config,
                                  const std::vector<MeasurementRow>& references,
                                  std::vector<TableFacts> tables) {
  ProblemEvent event;
  event.layers = LayerNames(topology);
  event.tensors = TensorNames(topology);
  event.variables = MakeDecisionVariables(topology, config);
  event.table = tables.front().text;
  event.table_origin = tables.front().origin;
  event.uniform8.latency_ns = *references.front().latency_median_ns;
  std::string no_uniform4;
  const std::vector<ClassId> classes = ClassesOf(config);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    event.table_board_seconds += tables[i].board_seconds;
    if (no_uniform4.empty()) no_uniform4 = tables[i].no_uniform4;
    if (tables.size() == 1) break;
    event.classes.push_back({classes[i], std::move(tables[i].text), tables[i].origin,
                             tables[i].board_seconds, *references[i].latency_median_ns});
  }
  if (!event.classes.empty()) {
    const ClassObjective objective = ParseClassObjective(config.objective);
    const Result<CostTable> table = JointTable(topology, objective, event.classes);
    if (!table.ok()) return table.status();
    event.table = FormatCostTable(*table);
    const ClassFacts& scale = ScaleOf(objective, event.classes);
    event.table_origin = scale.table_origin;
    event.uniform8.latency_ns = scale.uniform8_latency_ns;
  }
  event.table_sha256 = Sha256Hex(event.table);
  event.no_uniform4 = WhyNoUniform4(config, std::move(no_uniform4));
  const Result<EnergyObjective> energy = EnergyOf(config, references);
  if (!energy.ok()) return energy.status();
  event.energy_objective = *energy;
  return event;
}

// The tables that a logged problem was made of.
std::vector<TableFacts> LoggedTables(const ProblemEvent& logged) {
  std::vector<TableFacts> tables;
  if (logged.classes.empty()) {
    tables.push_back(
        {logged.table, logged.table_origin, logged.table_board_seconds, logged.no_uniform4});
  }
  for (const ClassFacts& each : logged.classes) {
    tables.push_back({each.table, each.table_origin, each.table_board_seconds, logged.no_uniform4});
  }
  return tables;
}

// A damaged log must not break a promise further on.
Status CheckClasses(const SearchConfig& config, const ProblemEvent& logged) {
  const std::vector<ClassId> classes = ClassesOf(config);
  const bool is_sound =
      classes.size() == 1
          ? logged.classes.empty()
          : std::equal(classes.begin(), classes.end(), logged.classes.begin(), logged.classes.end(),
                       [](const ClassId& on, const ClassFacts& facts) { return on == facts.on; });
  if (is_sound) return Status();
  return DataCorrupt("expected a problem of the classes " + Joined(classes));
}

}  // namespace

Result<ProblemSetup> SetUpProblem(const Topology& topology, const SearchConfig& config,
                                  const SearchResources& resources, Journal& journal,
                                  const StudyFiles& files, SearchObserver& observer,
                                  const std::function<bool()>& stop) {
  if (journal.recording()) observer.OnPhase("calibrating and measuring uniform 8 bit", 0);
  Uniform8 uniform8(topology, resources, files);
  const std::vector<ClassId> classes = ClassesOf(config);
  std::vector<MeasurementRow> references;
  for (const ClassId& on : classes) {
    Result<MeasurementRow> reference = MeasureReference(
        uniform8, on, static_cast<int>(references.size()) + 1, resources.boards, journal);
    if (!reference.ok()) return reference.status();
    references.push_back(std::move(*reference));
  }

  const auto observe = [&]() -> Result<ProblemEvent> {
    std::vector<TableFacts> tables;
    for (const ClassId& on : classes) {
      Result<TableFacts> table =
          BoardTable(topology, config, on, resources.boards->BoardOf(on), observer, stop);
      if (!table.ok()) return table.status();
      tables.push_back(std::move(*table));
    }
    Result<ProblemEvent> known = KnownProblem(topology, config, references, std::move(tables));
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
    BITPILOT_RETURN_IF_ERROR(CheckClasses(config, logged));
    Result<ProblemEvent> known = KnownProblem(topology, config, references, LoggedTables(logged));
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
  problem.class_objective = ParseClassObjective(config.objective);
  problem.max_measurements = config.measurements;
  problem.batches_per_step = config.train_batches;
  problem.final_batches = config.final_batches.value_or(0);
  setup.uniform8 = NetworkFile(event.uniform8_sha256, kOlderUniform8File);
  setup.no_uniform4 = std::move(event.no_uniform4);
  for (const ClassFacts& facts : event.classes) {
    Result<CostTable> of_class = ParseCostTable(facts.table);
    if (!of_class.ok()) return of_class.status().WithContext("class " + facts.on);
    setup.class_tables.emplace(facts.on, std::move(*of_class));
    problem.class_uniform8_ns[facts.on] = facts.uniform8_latency_ns;
  }
  return setup;
}

}  // namespace bitpilot
