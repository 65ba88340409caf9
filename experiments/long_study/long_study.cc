// What thousands of decisions cost: time a step early and late, memory, and a resume. See README.md beside
// this file.
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/model/sample_data.h"
#include "agent/qat/compute_threads.h"
#include "agent/session/live_parts.h"
#include "agent/session/named_inputs.h"
#include "agent/session/search_driver.h"
#include "agent/study/search_config.h"
#include "agent/study/study.h"

namespace bitpilot {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string study = "long_study.db";
  std::string board = "experiments/boards/mpic_resnet8.cost";
  std::string policy = "amed";
  int decisions = 5000;
  int train_batches = 2;
  double minutes = 25.0;
};

// A few images: what a step trains and reads is the same early and late, and short.
constexpr int kTrainImages = 24;
constexpr int kValidationImages = 40;
constexpr int kBatchSize = 4;
constexpr int kThreads = 1;           // more only wait for each other on so few images
constexpr std::size_t kWindow = 100;  // steps that one figure is the mean of
// From here on `amed` decides by as many transitions as it ever does (256), so that early and late
// steps have the same to compute.
constexpr int kFirstEarlyStep = 300;
constexpr int kLeft = 10;  // decisions that are left to a resume

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double PeakMemoryMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

// Notes when each step was answered by this process: a resume does not report those of the log.
class Stopwatch final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent& answer,
              double) override {
    answered_.push_back({answer.step, SecondsSince(begin_)});
  }
  void OnNotice(const std::string& text) override { std::fprintf(stderr, "%s\n", text.c_str()); }

  std::size_t size() const { return answered_.size(); }

  // The first kWindow steps from kFirstEarlyStep on, and the last ones, if they do not overlap.
  void Print() const {
    const auto early = std::find_if(answered_.begin(), answered_.end(), [](const Answered& each) {
      return each.step >= kFirstEarlyStep;
    });
    const auto first = static_cast<std::size_t>(early - answered_.begin());
    if (first + 2 * kWindow > size()) {
      std::printf("%zu decisions by this process: too few to compare early and late ones\n",
                  size());
      return;
    }
    const std::size_t last = size() - kWindow;
    std::printf("a step takes %.1f ms early (steps %d to %d), %.1f ms late (%d to %d)\n",
                1e3 * StepSeconds(first), answered_[first].step,
                answered_[first + kWindow - 1].step, 1e3 * StepSeconds(last), answered_[last].step,
                answered_.back().step);
  }

 private:
  struct Answered {
    int step = 0;     // in the study
    double at = 0.0;  // seconds
  };

  // Mean time of the `kWindow` steps from position `first` on, seconds.
  double StepSeconds(std::size_t first) const {
    return (answered_[first + kWindow - 1].at - answered_[first].at) / (kWindow - 1);
  }

  std::vector<Answered> answered_;
  Clock::time_point begin_ = Clock::now();
};

SearchConfig ConfigOf(const Options& options) {
  SearchConfig config;
  config.weights = kShippedWeights;
  config.device = "model:" + options.board;
  config.fast = true;
  config.policy = options.policy;
  config.weight_widths = config.activation_widths = {2, 4, 8};
  config.measurements = options.decisions;
  config.train_batches = options.train_batches;
  config.batch_size = kBatchSize;
  config.calibration_images = 16;
  config.final_batches = 0;
  config.train_threads = kThreads;
  return config;
}

Result<std::unique_ptr<LiveParts>> Load(SearchConfig& config) {
  SetComputeThreads(kThreads);
  Result<DataSplits> data = LoadDataSplits(config.data);
  if (!data.ok()) return data.status();
  auto parts = std::make_unique<LiveParts>();
  data->train = data->train.Slice(0, kTrainImages);
  data->validation = data->validation.Slice(0, kValidationImages);
  data->test = data->test.Slice(0, kValidationImages);
  config.data_sha256 = FingerprintOf(*data);
  parts->calibration = data->train.Slice(0, static_cast<std::size_t>(config.calibration_images));
  parts->images = {std::move(data->train), std::move(data->validation)};
  parts->test = std::move(data->test);
  const Result<ModelDefinition> definition = FindModel(config.model);
  if (!definition.ok()) return definition.status();
  const Result<std::string> weights = ShippedWeightsFile(config.model);
  if (!weights.ok()) return weights.status();
  Result<QuantizedModel> model = QuantizedModel::Create(*definition, *weights, config.seed);
  if (!model.ok()) return model.status();
  parts->model.emplace(std::move(*model));
  BoardOptions board_options;
  board_options.fast = true;
  Result<std::unique_ptr<Board>> board = StartLocalBoard(config.device, board_options);
  if (!board.ok()) return board.status();
  parts->board = std::move(*board);
  return parts;
}

// stop: told how many decisions the study holds.
Result<SearchOutcome> Search(Study& study, const SearchConfig& config, LiveParts& parts,
                             Stopwatch& stopwatch, const std::function<bool(int)>& stop) {
  Result<Journal> journal = Journal::Open(study, Journal::AtEnd::kRecord);
  if (!journal.ok()) return journal.status();
  const SearchDriver* running = nullptr;
  SearchOptions options;
  options.study_path = study.path();
  options.observer = &stopwatch;
  options.stop = [&] { return running != nullptr && stop(running->decisions()); };
  const StudyFiles files(study.path());
  SearchDriver driver(config, *journal, files, &parts, options);
  running = &driver;
  return driver.Run();
}

// What a new process does until its first own step is answered.
Status TimeResume(const Options& options) {
  const Clock::time_point begin = Clock::now();
  Result<std::unique_ptr<Study>> study = Study::OpenForResume(options.study);
  if (!study.ok()) return study.status();
  const double verified = SecondsSince(begin);
  Result<SearchConfig> config =
      SearchConfigFromJson(nlohmann::json::parse((*study)->config_json()));
  if (!config.ok()) return config.status();
  const Result<std::unique_ptr<LiveParts>> parts = Load(*config);
  if (!parts.ok()) return parts.status();
  const double loaded = SecondsSince(begin) - verified;
  Stopwatch stopwatch;
  const Result<SearchOutcome> went_on =
      Search(**study, *config, **parts, stopwatch, [&](int) { return stopwatch.size() > 0; });
  if (!went_on.ok()) return went_on.status();
  const double all = SecondsSince(begin);
  std::printf(
      "resumed: the first new step was answered after %.2f s, of which opening and verifying the "
      "study took %.2f s, data, weights and board %.2f s; %d decisions in the study\n",
      all, verified, loaded, went_on->decisions);
  std::printf("peak memory with the resume %.0f MiB\n", PeakMemoryMib());
  return (*study)->Close(went_on->interrupted ? "interrupted" : "done");
}

Status RunLongStudy(const Options& options) {
  const Clock::time_point begin = Clock::now();
  SearchConfig config = ConfigOf(options);
  Result<std::unique_ptr<LiveParts>> parts = Load(config);
  if (!parts.ok()) return parts.status();
  const bool goes_on = std::filesystem::exists(options.study);
  Result<std::unique_ptr<Study>> study = goes_on
                                             ? Study::OpenForResume(options.study)
                                             : Study::Create(options.study, ToJson(config).dump());
  if (!study.ok()) return study.status();
  if (goes_on && nlohmann::json::parse((*study)->config_json()) != ToJson(config)) {
    return InvalidArgument(options.study +
                           " was begun with other options: give those, or another --study");
  }
  Stopwatch stopwatch;
  const Result<SearchOutcome> searched =
      Search(**study, config, **parts, stopwatch, [&](int decisions) {
        return decisions >= options.decisions - kLeft ||
               SecondsSince(begin) >= 60.0 * options.minutes;
      });
  if (!searched.ok()) return searched.status();
  std::printf("%d of %d decisions are in the study, %zu of them by this process in %.0f s\n",
              searched->decisions, options.decisions, stopwatch.size(), SecondsSince(begin));
  stopwatch.Print();
  std::printf("peak memory %.0f MiB\n", PeakMemoryMib());
  BITPILOT_RETURN_IF_ERROR((*study)->Close(searched->interrupted ? "interrupted" : "done"));
  study->reset();
  parts->reset();
  if (!searched->interrupted) {
    std::printf(
        "the search has ended, its budgets or its policy left no more: nothing to resume\n");
    return Status();
  }
  return TimeResume(options);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Options options;
  CLI::App app("What thousands of decisions cost");
  app.add_option("--study", options.study, "Where the study is written");
  app.add_option("--board", options.board, "A cost table");
  app.add_option("--policy", options.policy);
  app.add_option("--decisions", options.decisions)->check(CLI::Range(2 * bitpilot::kLeft, 100'000));
  app.add_option("--train-batches", options.train_batches)->check(CLI::NonNegativeNumber);
  app.add_option("--minutes", options.minutes, "Stop then, to be called again")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const bitpilot::Status status = bitpilot::RunLongStudy(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "long_study: %s\n", status.message().c_str());
  return 1;
}
