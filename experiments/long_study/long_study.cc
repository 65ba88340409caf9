// What thousands of decisions cost: time a step early and late, memory, and a resume. See README.md beside
// this file.
#include <sys/resource.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/model/sample_data.h"
#include "agent/session/live_parts.h"
#include "agent/session/search_driver.h"
#include "agent/session/search_session.h"

namespace bitpilot {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string study = "long_study.db";
  std::string board = "experiments/boards/mpic_resnet8.cost";
  std::string policy = "amed";
  int decisions = 5000;
  int train_batches = 2;
};

// A few images: what a step trains and reads is the same early and late, and short.
constexpr int kTrainImages = 24;
constexpr int kValidationImages = 40;
constexpr int kBatchSize = 4;
constexpr std::size_t kWindow = 100;  // steps that one figure is the mean of

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double PeakMemoryMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;
}

// Notes when each step was answered.
class Stopwatch final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent&, double) override {
    answered.push_back(SecondsSince(begin_));
  }
  void OnNotice(const std::string& text) override { std::fprintf(stderr, "%s\n", text.c_str()); }

  // Mean time of the `kWindow` steps from `first` on, seconds.
  double StepSeconds(std::size_t first) const {
    return (answered[first + kWindow - 1] - answered[first]) / (kWindow - 1);
  }

  std::vector<double> answered;  // seconds since the program began

 private:
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
  return config;
}

Result<std::unique_ptr<LiveParts>> Load(const SearchConfig& config) {
  Result<DataSplits> data = LoadDataSplits("sample");
  if (!data.ok()) return data.status();
  auto parts = std::make_unique<LiveParts>();
  parts->images = {data->train.Slice(0, kTrainImages),
                   data->validation.Slice(0, kValidationImages)};
  parts->test = data->test.Slice(0, kValidationImages);
  parts->calibration = data->train.Slice(0, 16);
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

Result<SearchOutcome> Search(Study& study, const SearchConfig& config, LiveParts& parts,
                             Stopwatch& stopwatch, const std::function<bool()>& stop) {
  Result<Journal> journal = Journal::Open(study, Journal::AtEnd::kRecord);
  if (!journal.ok()) return journal.status();
  SearchOptions options;
  options.study_path = study.path();
  options.observer = &stopwatch;
  options.stop = stop;
  const StudyFiles files(study.path());
  return SearchDriver(config, *journal, files, &parts, options).Run();
}

Status RunLongStudy(const Options& options) {
  const SearchConfig config = ConfigOf(options);
  Result<std::unique_ptr<LiveParts>> parts = Load(config);
  if (!parts.ok()) return parts.status();
  Result<std::unique_ptr<Study>> study = std::filesystem::exists(options.study)
                                             ? Study::OpenForResume(options.study)
                                             : Study::Create(options.study, ToJson(config).dump());
  if (!study.ok()) return study.status();
  Stopwatch stopwatch;
  // All but the last ones, so that something is left to resume.
  const std::size_t enough = static_cast<std::size_t>(options.decisions) - 10;
  const Result<SearchOutcome> searched = Search(
      **study, config, **parts, stopwatch, [&] { return stopwatch.answered.size() >= enough; });
  if (!searched.ok()) return searched.status();
  const std::size_t answered = stopwatch.answered.size();
  if (answered < 3 * kWindow) {
    std::printf("%zu decisions now; the study holds the rest\n", answered);
  } else {
    std::printf("a step takes %.1f ms early (steps %zu to %zu), %.1f ms late (%zu to %zu)\n",
                1e3 * stopwatch.StepSeconds(kWindow), kWindow, 2 * kWindow,
                1e3 * stopwatch.StepSeconds(answered - kWindow), answered - kWindow, answered);
  }
  std::printf("peak memory %.0f MiB\n", PeakMemoryMib());
  BITPILOT_RETURN_IF_ERROR((*study)->Close("interrupted"));
  study->reset();
  // What a new process does until its first own step is answered.
  const std::unique_ptr<Board> board = std::move((*parts)->board);
  parts = Load(config);
  if (!parts.ok()) return parts.status();
  const Clock::time_point begin = Clock::now();
  study = Study::OpenForResume(options.study);
  if (!study.ok()) return study.status();
  std::printf("opened and verified after %.2f s\n", SecondsSince(begin));
  Stopwatch resumed;
  const Result<SearchOutcome> went_on =
      Search(**study, config, **parts, resumed, [&] { return !resumed.answered.empty(); });
  if (!went_on.ok()) return went_on.status();
  std::printf("resumed: the first new step was answered after %.2f s; %d decisions in the study\n",
              SecondsSince(begin), went_on->decisions);
  return (*study)->Close("interrupted");
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  bitpilot::Options options;
  CLI::App app("What thousands of decisions cost");
  app.add_option("--study", options.study, "Where the study is written");
  app.add_option("--board", options.board, "A cost table");
  app.add_option("--policy", options.policy);
  app.add_option("--decisions", options.decisions)->check(CLI::Range(20, 100'000));
  app.add_option("--train-batches", options.train_batches)->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  const bitpilot::Status status = bitpilot::RunLongStudy(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "long_study: %s\n", status.message().c_str());
  return 1;
}
