// A search that is small enough to be run over and over: ResNet-8 on a few images and a model board that
// a real bitpilotd answers for.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/model/sample_data.h"
#include "agent/session/fleet_classes.h"
#include "agent/session/live_parts.h"
#include "agent/session/search_driver.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/failing_board.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {

class QuietObserver final : public SearchObserver {
 public:
  void OnPhase(const std::string& name, int total) override {
    phases.push_back(name + " " + std::to_string(total));
    if (on_phase) on_phase(name);
  }
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent& answer,
              double) override {
    steps.push_back(answer.step);
    if (on_step) on_step(answer);
  }
  void OnNotice(const std::string& text) override { notices += text + "\n"; }
  std::function<void(const TransitionEvent&)> on_step;
  std::function<void(const std::string& name)> on_phase;
  std::string notices;
  std::vector<int> steps;
  std::vector<std::string> phases;  // "NAME TOTAL"
};

// Fewer bits are faster, by layer.
//
// activation_ns: of a bit of what a layer reads, beside 1 of a bit of its weights.
inline CostTable SlopeTable(double activation_ns = 0.5) {
  const Topology topology = StandardTopology("resnet8").value();
  CostTable table;
  table.name = "slope";
  table.source = "made for tests";
  table.overhead_latency_ns = 2000.0;
  for (int operation = 0; operation < topology.num_operations(); ++operation) {
    const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
    if (!HasWeights(op)) continue;
    for (int weights = 1; weights <= 8; ++weights) {
      for (int activations = 1; activations <= 8; ++activations) {
        const double macs = static_cast<double>(Macs(topology, operation));
        table.operations[{op.name, weights, activations}] =
            Cost{1e-3 * macs * (2 + weights + activation_ns * activations), std::nullopt};
      }
    }
  }
  return table;
}

inline std::string WriteTable(const StudyFolder& folder) {
  const std::string path = folder.Path("slope.table");
  WriteBytes(path, FormatCostTable(SlopeTable()));
  return path;
}

class SmallSearch {
 public:
  // folder: of its files, the user's cache among them. Must outlive the object.
  explicit SmallSearch(const StudyFolder& folder) {
    config.weights = ShippedWeightsFile("resnet8").value();
    config.device = "model:" + WriteTable(folder);
    config.fast = true;
    config.policy = "amed-blind";  // trains at every candidate, however few there are
    config.weight_widths = config.activation_widths = {4, 8};
    config.measurements = 3;
    config.train_batches = 2;
    config.batch_size = 4;
    config.calibration_images = 16;
    config.final_batches = 1;
    setenv("XDG_CACHE_HOME", folder.Path("cache").c_str(), /*overwrite=*/1);
    options.observer = &observer;
    options.stop = [] { return false; };
  }

  // Of the next process's board: FailingBoard's.
  struct Failure {
    int request = 0;
    MeasureStatus status = MeasureStatus::kTimedOut;
  };

  // What a new process loads; the board alone is shared, it knows nothing of a search.
  Result<std::unique_ptr<LiveParts>> FreshParts() {
    auto parts = std::make_unique<LiveParts>();
    parts->images = {data_.train, data_.validation};
    parts->test = data_.test;
    parts->calibration = data_.train.Slice(0, static_cast<std::size_t>(config.calibration_images));
    const Result<ModelDefinition> definition = FindModel(config.model);
    if (!definition.ok()) return definition.status();
    Result<QuantizedModel> model = QuantizedModel::Create(*definition, config.weights, config.seed);
    if (!model.ok()) return model.status();
    parts->model.emplace(std::move(*model));
    if (!config.fleet.empty()) {
      const auto classes = FleetClassesOf(config);
      if (!classes.ok()) return classes.status();
      fleet.notice = [this](const std::string& text) { observer.OnNotice(text); };
      fleet.stop = [this] { return options.stop(); };
      auto boards = OpenFleetClasses(**classes, ClassesOf(config), fleet);
      if (!boards.ok()) return boards.status();
      parts->boards = std::move(*boards);
      return parts;
    }
    if (board_ == nullptr) {
      BoardOptions board_options;
      board_options.fast = true;
      Result<std::unique_ptr<Board>> board = StartLocalBoard(config.device, board_options);
      if (!board.ok()) return board.status();
      board_ = std::move(*board);
    }
    parts->board = std::move(board_);
    if (const auto broken = std::exchange(failure, std::nullopt)) {
      parts->board =
          std::make_unique<FailingBoard>(std::move(parts->board), broken->request, broken->status);
    }
    return parts;
  }
  // The board of parts that are no longer needed, for the next ones.
  void TakeBoard(LiveParts& parts) { board_ = std::move(parts.board); }

  SearchConfig config;
  SearchOptions options;
  QuietObserver observer;
  std::optional<Failure> failure;
  FleetClassOptions fleet;  // where config names one, of several boards

 private:
  // Unpacked once a process.
  static const DataSplits& Images() {
    static const DataSplits* splits = [] {
      const DataSplits sample = LoadDataSplits("sample").value();
      return new DataSplits{sample.train.Slice(0, 24), sample.validation.Slice(0, 40),
                            sample.test.Slice(0, 40)};
    }();
    return *splits;
  }

  const DataSplits& data_ = Images();
  std::unique_ptr<Board> board_;
};

}  // namespace bitpilot
