#include "tests/agent/sample_study.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/final_event.h"
#include "agent/study/step_ids.h"
#include "agent/study/study.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/check.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/topology.h"

namespace bitpilot {
namespace {

constexpr double kUniform8Ns = 1.184e6;
constexpr int kFinalBatches = 52;
constexpr int kBatchesPerStep = 50;

void Check(const Status& status) {
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  BITPILOT_CHECK(status.ok());
}

// Uniform in [0, 1), the same with every standard library.
double Uniform(std::mt19937& random) { return random() / 4294967296.0; }

class SampleWriter {
 public:
  SampleWriter(const std::string& path, const SampleStudyOptions& options)
      : options_(options), topology_(StandardTopology(options.model).value()) {
    Result<std::unique_ptr<Study>> study = Study::Create(
        path,
        R"({"activation_widths":[2,3,4,5,6,7,8],"batch_size":128,"board":"",)"
        R"("calibration_images":512,"data":"sample","data_sha256":"0f343b0931126a20f133d67c2b018a3b",)"
        R"("device":")" +
            std::string(options.from_model ? "model:mpic.txt" : "local:avx2") +
            R"(","distill":true,"fleet":"","learning_rate":0.0002,"max_latency_ratio":)" +
            options.max_latency +
            R"(,"max_weight_bytes":null,"measurements":24,"min_accuracy":null,"model":")" +
            options.model +
            R"(","policy":"amed","search_ends":false,"seed":7,"table_seconds":30,)"
            R"("train_batches":50,"weight_widths":[2,3,4,5,6,7,8],)"
            R"("weights":"experiments/data/resnet8.safetensors","weights_sha256":"6b86b273ff34fce1"})");
    Check(study.status());
    study_ = std::move(study).value();
  }

  void Write() {
    Check(AppendEvent(*study_, AgentEvent{"example build", "example solver",
                                          options_.older ? 2 : options_.log_version}));
    WriteBoard();
    WriteProblem();
    if (!options_.older) WriteAnchor();
    for (int step = 0; step < options_.steps; ++step) WriteStep(step);
    if (!options_.finished) return;
    WriteFinal();
    Check(AppendEvent(*study_, EndEvent{"done"}));
    Check(study_->Close());
  }

 private:
  void WriteBoard() {
    BoardInfo& board = board_.board;
    board.name = options_.board_name;
    board.cpu_model = "Example CPU 9575F";
    board.isa = "avx2";
    board.daemon_build = "0.1.0";
    board.kernel_build = "0.1.0+9f2c11d0a3";
    board.backend = options_.from_model ? "model:mpic" : "kernels";
    board.model_source = options_.from_model ? "Example et al., 2022, table 4" : "";
    board.os = "Linux 6.1";
    board.architecture = "x86_64";
    board.cpu_count = 2;
    board_.cpu_class = "Example family 26 model 2, torch 1.13";
    Check(AppendEvent(*study_, board_));
  }

  void WriteProblem() {
    ProblemEvent problem;
    const std::vector<int> layers = LayerOperations(topology_);
    for (const int operation : layers) {
      problem.layers.push_back(topology_.operations[static_cast<std::size_t>(operation)].name);
    }
    for (int tensor = 0; tensor < topology_.num_stored_tensors(); ++tensor) {
      problem.tensors.push_back(TensorName(topology_, tensor));
    }
    for (int layer = 1; layer + 1 < static_cast<int>(layers.size()); ++layer) {
      problem.variables.push_back({DecisionVariable::Kind::kWeights,
                                   layer,
                                   problem.layers[static_cast<std::size_t>(layer)],
                                   {2, 4, 8},
                                   {0.4, 0.05, 0.0}});
    }
    num_variables_ = problem.variables.size();
    problem.table = "bitpilot-cost-table 1\nname example\n";
    problem.uniform8 = {kUniform8Ns, 0.412, 0.868};
    problem.float_accuracy = 0.872;
    if (options_.energy) {
      problem.energy_objective =
          options_.from_model ? EnergyObjective::kModel : EnergyObjective::kMeasured;
    }
    Check(AppendEvent(*study_, problem));
  }

  // Uniform 8 bit trained alone gets better by a few hundredths of a nat.
  void WriteAnchor() {
    AnchorEvent anchor;
    for (int i = 0; i <= 8; ++i) {
      anchor.anchor.readings.push_back({150 * i, 0.412 - 0.005 * i, 0.012, 0.132 - 0.001 * i});
    }
    Check(AppendEvent(*study_, anchor));
  }

  // `effort` in [0, 1]: 0 keeps few bits, 1 keeps eight.
  BitAssignment RandomAssignment(double effort) {
    BitAssignment assignment = UniformAssignment(topology_, 8, 8);
    const auto draw = [&] {
      const double bits = 2.0 + 6.0 * std::clamp(effort + 0.5 * (Uniform(random_) - 0.5), 0.0, 1.0);
      return static_cast<int>(std::lround(bits));
    };
    for (std::size_t layer = 1; layer + 1 < assignment.weight_bits.size(); ++layer) {
      const int channels = assignment.weight_bits[layer][0].channels;
      if (options_.channel_groups && layer % 3 == 1) {
        assignment.weight_bits[layer] = {{channels / 4, 8}, {channels - channels / 4, draw()}};
      } else {
        assignment.weight_bits[layer][0].bits = draw();
      }
    }
    for (std::size_t tensor = 1; tensor + 1 < assignment.activation_bits.size(); ++tensor) {
      assignment.activation_bits[tensor] = draw();
    }
    return assignment;
  }

  // A made-up law with the shape of real ones: time nearly linear in the mean width, accuracy
  // falling below 4 bits.
  double MeanBits(const BitAssignment& assignment) const {
    double sum = 0.0;
    for (const auto& runs : assignment.weight_bits) sum += runs.back().bits;
    return sum / static_cast<double>(assignment.weight_bits.size());
  }
  double Ratio(const BitAssignment& assignment) const {
    return 0.30 + 0.70 * MeanBits(assignment) / 8.0;
  }
  double Accuracy(const BitAssignment& assignment) const {
    const double bits = MeanBits(assignment);
    return 0.869 - 0.35 * std::exp(-0.85 * (bits - 2.0)) - 0.02 * Uniform(jitter_);
  }

  MeasurementRow MakeRow(const std::string& id, const BitAssignment& assignment, const char* tier,
                         int num_windows, double noise) {
    MeasurementRow row;
    row.measurement_id = id;
    row.candidate_id = AssignmentId(assignment);
    row.assignment = CanonicalText(assignment);
    row.board = ToJson(board_.board);
    row.tier = tier;
    row.status = noise > 0.02 ? "NOISY" : "OK";
    row.detail = noise > 0.02 ? "drift 3.1 %: another program ran" : "";
    row.source = options_.from_model ? "MODEL:mpic" : "measured";
    for (int window = 0; window < num_windows; ++window) {
      const double tail = Uniform(jitter_) > 0.93 ? 2.0 * noise : 0.0;
      const double deviation = options_.from_model ? 0.0 : noise * (Uniform(jitter_) - 0.4) + tail;
      row.window_ns.push_back(kUniform8Ns * Ratio(assignment) * (1.0 + deviation));
      row.window_cpu_ns.push_back(row.window_ns.back() * 0.998);
    }
    std::vector<double> sorted = row.window_ns;
    std::sort(sorted.begin(), sorted.end());
    row.latency_median_ns = sorted[sorted.size() / 2];
    row.latency_low_ns = sorted[sorted.size() / 4];
    row.latency_high_ns = sorted[sorted.size() * 3 / 4];
    MeasurementConditions conditions;
    conditions.confidence = 0.961;
    conditions.inferences_per_window = 25;
    conditions.drift = noise / 3;
    conditions.duration_ms = 310.0;
    conditions.load_average = 0.42;
    const bool saves_power = options_.powersave_from >= 0 && step_ >= options_.powersave_from;
    conditions.board.governor = saves_power ? "powersave" : "performance";
    conditions.board.frequency_min_khz = saves_power ? 1'500'000 : 3'300'000;
    conditions.board.frequency_max_khz = 3'300'000;
    conditions.board.temperature_end_celsius = 51.0;
    conditions.board.notes = {"cpu0 is watched"};
    conditions.fingerprint = FingerprintOf(board_.board, conditions.board);
    row.conditions = ToJson(conditions);
    return row;
  }

  void WriteStep(int step) {
    step_ = step;
    const BitAssignment assignment = RandomAssignment(
        0.1 + 0.85 * static_cast<double>(step * 7 % options_.steps) / options_.steps);
    const bool fails = step == 9;
    ProposalEvent proposal;
    proposal.step = step;
    constexpr int kWidths[] = {2, 4, 8};
    proposal.choice.assign(num_variables_, kWidths[step % 3]);
    proposal.assignment_id = AssignmentId(assignment);
    proposal.reason =
        step < 8 ? "integer program at " + std::to_string(40 + 7 * step) + " % latency"
                 : "neighbour of step " + std::to_string(step / 2) + ": conv_3 weights 4 -> 3";
    if (!options_.older) {
      proposal.ticket = step + 1;
      proposal.from = step;
      proposal.pace = {kBatchesPerStep, 1.0, 0.9};
      proposal.classes = {"bench"};
      proposal.figures = DecisionFigures{0.35, 0.05, 0.2, 0.1, 0.0};
    }
    Check(AppendEvent(*study_, proposal));

    MeasurementRow row = MakeRow(StepId(step), assignment, "SCREEN", 9, step == 5 ? 0.03 : 0.008);
    if (fails) {
      row.status = "TIMED_OUT";
      row.detail = "no answer from the worker in 20 s";
      row.latency_median_ns = row.latency_low_ns = row.latency_high_ns = std::nullopt;
      row.window_ns.clear();
      row.window_cpu_ns.clear();
    }
    Check(study_->AppendMeasurement(row));
    if (step < options_.repeated) {
      MeasurementRow repeat =
          MakeRow(RepeatedStepId(StepId(step), 1), assignment, "SCREEN", 9, 0.008);
      if (step < options_.doubled_windows) {
        Result<MeasurementConditions> conditions =
            ParseEvent<MeasurementConditions>(repeat.conditions);
        Check(conditions.status());
        conditions->inferences_per_window *= 2;
        repeat.conditions = ToJson(*conditions);
      }
      Check(study_->AppendMeasurement(repeat));
    }

    TransitionEvent event;
    event.step = step;
    event.transition.choice = proposal.choice;
    event.transition.status = fails ? TransitionStatus::kFailed : TransitionStatus::kMeasured;
    event.transition.latency_ns = row.latency_median_ns;
    event.transition.latency_low_ns = row.latency_low_ns.value_or(0.0);
    event.transition.latency_high_ns = row.latency_high_ns.value_or(0.0);
    if (options_.energy && !fails) {
      const double ratio = 0.2 + 0.8 * Ratio(assignment);
      (options_.from_model ? event.transition.model_energy_ratio : event.transition.energy_ratio) =
          ratio;
    }
    event.transition.accuracy = Accuracy(assignment);
    event.transition.loss = -std::log(event.transition.accuracy);
    event.transition.weight_bytes = WeightBytes(topology_, assignment);
    event.train_loss = event.transition.loss * 0.9;
    if (!options_.older) AddTicket(fails, event);
    Check(AppendEvent(*study_, event));
  }

  static void AddTicket(bool fails, TransitionEvent& event) {
    event.ticket = event.step + 1;
    event.at = {kBatchesPerStep * (event.step + 1), kBatchesPerStep * (event.step + 1)};
    event.score = Scored{event.transition.loss, 0.01,
                         static_cast<int>(std::lround(1000 * event.transition.accuracy)), 1000};
    ClassOutcome outcome{"bench", CandidateFailed{"TIMED_OUT: no answer"}, 0.4};
    if (!fails) {
      const double ratio = *event.transition.latency_ns / kUniform8Ns;
      outcome.result = Measured{ratio, ratio * 0.99, ratio * 1.01};
    }
    event.classes = {outcome};
  }

  // 340 uJ for uniform 8 bit, of which 90 are idle; "front 2" could not be measured.
  void AddEnergy(const std::string& label, double ratio, MeasurementRow& measured, FinalRow& row) {
    if (options_.from_model) {
      row.model_energy = 128.2 * ratio;
      row.model_energy_unit = "uJ-model";
      row.model_energy_ratio = ratio;
      return;
    }
    if (label == "front 2") {
      row.no_energy_reason = "the meter has ended";
      return;
    }
    row.energy =
        MeasuredEnergy::Create(EnergySensor::kMeterExternal, "meter:bench",
                               {340 * ratio, 5.1 * ratio}, EnergyFigure{340 * ratio - 90, 6.0})
            .value();
    row.energy_ratio = EnergyRatio{ratio, 0.021 * ratio};
    measured.energy = row.energy;
    measured.energy_window_uj = {339 * ratio, 340 * ratio, 342 * ratio};
  }

  // accuracy: on the test images.
  FinalRow MakeFinalRow(FinalistRole role, int number, const BitAssignment& assignment,
                        double accuracy, double validation_accuracy, int mini_batches) {
    FinalRow row;
    row.role = role;
    row.number = number;
    row.label = LabelOf(role, number);
    row.final_batches = mini_batches > 0 ? kFinalBatches : 0;
    row.start = role == FinalistRole::kUniform8 ? TrainingStart::kTwin : TrainingStart::kSearch;
    row.assignment = CanonicalText(assignment);
    row.assignment_id = AssignmentId(assignment);
    row.validation_accuracy = validation_accuracy;
    row.mini_batches = mini_batches;
    row.test_total = 2000;
    row.test_correct = std::lround(2000 * accuracy);
    row.test_accuracy = static_cast<double>(row.test_correct) / 2000.0;
    row.accuracy_low = row.test_accuracy - 0.015;
    row.accuracy_high = row.test_accuracy + 0.014;
    row.paired_difference = row.test_accuracy - 0.866;
    row.paired_low = row.paired_difference - 0.006;
    row.paired_high = row.paired_difference + 0.006;
    row.source = options_.from_model ? "MODEL:sample" : "measured";
    row.weight_bytes = WeightBytes(topology_, assignment);
    row.measurement_id = "final-" + std::to_string(num_final_++);
    MeasurementRow measured = MakeRow(row.measurement_id, assignment, "AUDIT", 21, 0.006);
    if (options_.energy) AddEnergy(row.label, 0.2 + 0.8 * Ratio(assignment), measured, row);
    Check(study_->AppendMeasurement(measured));
    row.latency_median_ns = measured.latency_median_ns;
    row.latency_low_ns = *measured.latency_low_ns;
    row.latency_high_ns = *measured.latency_high_ns;
    row.ratio = *measured.latency_median_ns / kUniform8Ns;
    row.ratio_low = *row.ratio * 0.996;
    row.ratio_high = *row.ratio * 1.004;
    row.budget_met = *row.ratio <= 0.75;
    row.measure_status = measured.status;
    if (!options_.from_model && role != FinalistRole::kUniform8) row.speed = Speed::kFaster;
    if (number == 2) row.as_fast_as = {5};  // front 3
    if (number == 3) row.as_fast_as = {4};  // front 2
    for (const auto& runs : assignment.weight_bits) {
      row.kernels.push_back(runs.back().bits <= 4 ? "conv_w4a4_avx2" : "conv_w8a8_avx2");
    }
    row.kernels.push_back("average_pool_scalar");
    return row;
  }

  void WriteFinal() {
    FinalEvent event;
    event.rows.push_back(MakeFinalRow(FinalistRole::kUniform8, 0,
                                      UniformAssignment(topology_, 8, 8), 0.866, 0.868, 1252));
    event.rows.push_back(MakeFinalRow(FinalistRole::kUniform4, 0,
                                      UniformAssignment(topology_, 4, 4), 0.823, 0.829, 1252));
    event.rows.push_back(
        MakeFinalRow(FinalistRole::kIntegerProgram, 0, RandomAssignment(0.35), 0.848, 0.851, 1252));
    constexpr double kEfforts[] = {0.08, 0.22, 0.38, 0.55, 0.72, 0.9};
    constexpr double kAccuracies[] = {0.802, 0.834, 0.853, 0.860, 0.8635, 0.867};
    constexpr double kValidation[] = {0.801, 0.841, 0.857, 0.856, 0.866, 0.869};
    for (int i = 0; i < 6; ++i) {
      event.rows.push_back(MakeFinalRow(FinalistRole::kFront, i + 1, RandomAssignment(kEfforts[i]),
                                        kAccuracies[i], kValidation[i], 1252));
    }
    event.hypervolume = 0.3127;
    if (options_.energy) event.energy_hypervolume = 0.2171;
    if (!options_.from_model) {
      event.comparisons = 2;
      event.full_isa.emplace();
      event.full_isa->isa = "avx512vnni";
      for (std::size_t i = 0; i < event.rows.size(); ++i) {
        const FinalRow& row = event.rows[i];
        event.full_isa->rows.push_back(
            {static_cast<int>(i), *row.latency_median_ns * 0.5, 0.9 + *row.ratio / 10});
      }
    }
    if (options_.older) {
      Check(study_->Append(std::string(FinalEvent::kKind), AsOlder(event)));
    } else {
      Check(AppendEvent(*study_, event));
    }
  }

  // As log version 2 has it: origins for roles, labels for indices, and no start.
  static std::string AsOlder(const FinalEvent& event) {
    auto json = nlohmann::json::parse(ToJson(event));
    const auto label = [&](std::size_t row) { return event.rows.at(row).label; };
    for (std::size_t i = 0; i < event.rows.size(); ++i) {
      nlohmann::json& row = json["rows"][i];
      const FinalistRole role = event.rows[i].role;
      for (const char* key : {"role", "number", "final_batches", "start"}) row.erase(key);
      row["origin"] = IsReference(role)              ? "reference"
                      : role == FinalistRole::kFront ? "front"
                                                     : "ilp";
      if (row["speed"].is_null()) row["speed"] = "";
      for (nlohmann::json& other : row["as_fast_as"]) other = label(other.get<std::size_t>());
      row["mini_batches"] = i == 0 ? 0 : 50 * (i + 9);
    }
    if (json["full_isa"].is_null()) return json.dump();
    for (nlohmann::json& row : json["full_isa"]["rows"]) {
      row["label"] = label(row["row"].get<std::size_t>());
      row.erase("row");
    }
    return json.dump();
  }

  const SampleStudyOptions options_;
  const Topology topology_;
  std::unique_ptr<Study> study_;
  BoardEvent board_;
  std::mt19937 random_{11};
  mutable std::mt19937 jitter_{12};
  std::size_t num_variables_ = 0;
  int step_ = 0;
  int num_final_ = 0;
};

}  // namespace

void WriteSampleStudy(const std::string& path, const SampleStudyOptions& options) {
  SampleWriter(path, options).Write();
}

}  // namespace bitpilot
