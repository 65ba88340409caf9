#include "agent/session/live_parts.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/device/board_choice.h"
#include "agent/device/local_board.h"
#include "agent/fleet/client_core.h"
#include "agent/fleet/fleet_class_boards.h"
#include "agent/model/sample_data.h"
#include "agent/qat/compute_threads.h"
#include "agent/session/check_before_search.h"
#include "agent/session/cpu_class.h"
#include "agent/session/energy_objective.h"
#include "agent/session/fleet_classes.h"
#include "agent/session/named_inputs.h"
#include "agent/session/one_board.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

Status ConnectToBoard(const SearchConfig& config, const ConnectOptions& asked, LiveParts& parts) {
  BoardOptions options;
  options.stop = asked.stop;
  options.notice = [observer = asked.observer](const std::string& text) {
    observer->OnNotice(text);
  };
  options.meter = config.meter;
  // As for classes: a board of a fleet that was there may stay away for as long as the user lets it.
  if (!config.fleet.empty()) options.reconnect_timeout = asked.max_wait.value_or(kForever);
  // Longer than a lease lives: an agent that was killed leaves its own behind on the board.
  options.lease_wait = std::chrono::seconds(40);
  BoardChoice choice = BoardChoiceOf(config);
  choice.lease = asked.lease;
  Result<std::unique_ptr<Board>> board = OpenChosenBoard(choice, options);
  if (!board.ok()) return board.status();
  parts.board = std::move(*board);
  return Status();
}

// Boards that are there answer within that.
constexpr std::chrono::seconds kHearAll{5};

Status ConnectToFleet(const FleetClasses& fleet, const SearchConfig& config,
                      const ConnectOptions& asked, LiveParts& parts) {
  FleetClassOptions options;
  options.stop = asked.stop;
  options.notice = [observer = asked.observer](const std::string& text) {
    observer->OnNotice(text);
  };
  options.detail = [observer = asked.observer](const std::string& text) {
    observer->OnDetail(text);
  };
  options.max_wait = asked.max_wait;
  options.lease = asked.lease.value_or(LeaseTerms());
  options.answers_missing = asked.predicts_missing;
  if (asked.predicts_missing) options.max_wait = asked.max_wait.value_or(kPredictAfter);
  options.expected = asked.expected;
  if (!asked.expected.empty()) options.hear_all = kHearAll;
  Result<std::unique_ptr<ClassBoards>> boards = OpenFleetClasses(fleet, ClassesOf(config), options);
  if (!boards.ok()) return boards.status();
  parts.boards = std::move(*boards);
  return Status();
}

// A board that is not there, or whose meter program does not start, is said before images and weights
// take their time.
Status Connect(const SearchConfig& config, const ConnectOptions& options, LiveParts& parts) {
  const Result<std::optional<FleetClasses>> fleet = FleetClassesOf(config);
  if (!fleet.ok()) return fleet.status();
  if (options.predicts_missing && !*fleet) {
    return InvalidArgument(
        "--on-missing surrogate is for boards of a class: give --fleet, and --class TAG where it "
        "lists "
        "one board");
  }
  options.observer->OnPhase(*fleet ? "connecting to the boards" : "connecting to the board", 0);
  BITPILOT_RETURN_IF_ERROR(*fleet ? ConnectToFleet(**fleet, config, options, parts)
                                  : ConnectToBoard(config, options, parts));
  for (const ClassId& on : ClassesOf(config)) {
    const BoardInfo& board = parts.BoardsOf(config).BoardOf(on).info();
    if (*fleet) options.observer->OnNotice(DescribeClass(**fleet, on, board));
    BITPILOT_RETURN_IF_ERROR(CheckEnergyCanBeSearched(config, board));
  }
  return Status();
}

// A checksum that a study recorded must match; one that is new is recorded.
Status Settle(std::string& recorded, const std::string& found, const std::string& what) {
  if (!recorded.empty() && recorded != found) {
    return DataCorrupt(what + " is not what the study began with: expected SHA-256 " + recorded +
                       ", got " + found);
  }
  recorded = found;
  return Status();
}

static_assert(kMaxCalibrationImages == kCalibrationImages);
static_assert(kMaxTrainThreads == kMaxComputeThreads);

// A resumed study keeps the number that it began with, whatever this machine has.
void SettleTrainThreads(SearchConfig& config) {
  if (!config.train_threads) config.train_threads = UsableComputeThreads();
  SetComputeThreads(*config.train_threads);
}

Status LoadTeacher(SearchConfig& config, QuantizedModel& model, SearchObserver& observer) {
  const Result<FoundTeacher> teacher = FindTeacher(config.teacher);
  if (!teacher.ok()) return teacher.status();
  const Result<std::string> weights = ReadFile(teacher->weights);
  if (!weights.ok()) return weights.status().WithContext("--teacher").AsCorruptInput();
  BITPILOT_RETURN_IF_ERROR(
      Settle(config.teacher_sha256, Sha256Hex(*weights), "--teacher " + config.teacher));
  return model
      .SetTeacher(teacher->definition, teacher->weights,
                  [&observer](const std::string& text) { observer.OnNotice(text); })
      .WithContext("--teacher");
}

}  // namespace

bool SharesThisMachine(const SearchConfig& config, const BoardInfo& board) {
  if (board.is_model()) return false;
  return config.device.starts_with("local") || board.shares_agent_host;
}

ClassBoards& LiveParts::BoardsOf(const SearchConfig& config) {
  if (!boards) {
    boards = std::make_unique<OneBoard>(*board, bitpilot::SharesThisMachine(config, board->info()));
  }
  return *boards;
}

Result<std::unique_ptr<LiveParts>> LoadLiveParts(const ModelDefinition& definition,
                                                 SearchConfig& config,
                                                 const ConnectOptions& options) {
  SearchObserver& observer = *options.observer;
  if (config.weights.empty()) config.weights = kShippedWeights;
  BITPILOT_RETURN_IF_ERROR(CheckInputsAreThere(config));
  const Result<std::string> weights_file = WeightsFile(config);
  if (!weights_file.ok()) return weights_file.status();
  const Result<std::string> weights = ReadFile(*weights_file);
  if (!weights.ok()) return weights.status().WithContext("--weights").AsCorruptInput();
  BITPILOT_RETURN_IF_ERROR(
      Settle(config.weights_sha256, Sha256Hex(*weights), "--weights " + *weights_file));
  if (config.fleet.empty()) {
    const Result<std::string> device = DeviceSha256(config.device);
    if (!device.ok()) return device.status();
    BITPILOT_RETURN_IF_ERROR(Settle(config.device_sha256, *device, "--device " + config.device));
  }

  auto parts = std::make_unique<LiveParts>();
  BITPILOT_RETURN_IF_ERROR(Connect(config, options, *parts));

  observer.OnPhase("loading " + config.model + " and the images", 0);
  Result<DataSplits> data = LoadDataSplits(config.data);
  if (!data.ok()) return data.status().WithContext("--data");
  BITPILOT_RETURN_IF_ERROR(
      Settle(config.data_sha256, FingerprintOf(*data), "--data " + config.data));
  SettleFinalBatches(data->train.size(), config);
  if (config.train_batches > 0 || *config.final_batches > 0) {
    BITPILOT_RETURN_IF_ERROR(CheckBatchSize(config.batch_size, data->train.size()));
  }
  const auto asked = static_cast<std::size_t>(config.calibration_images);
  const std::size_t num_calibration = std::min({asked, data->train.size(), kCalibrationImages});
  if (num_calibration < asked) {
    observer.OnNotice("calibration reads " + std::to_string(num_calibration) +
                      " training images, not " + std::to_string(asked) +
                      ": the data, or calibration, has no more");
  }
  parts->calibration = data->train.Slice(0, num_calibration);
  parts->images = {std::move(data->train), std::move(data->validation)};
  parts->test = std::move(data->test);

  SettleTrainThreads(config);
  // Before LibTorch starts its threads, which go where this one may.
  if (parts->board && SharesThisMachine(config, parts->board->info())) {
    LeaveToTheBoard(parts->board->info().cpu, *config.train_threads);
  }
  Result<QuantizedModel> model =
      QuantizedModel::Create(definition, *weights_file, config.seed,
                             [&observer](const std::string& text) { observer.OnNotice(text); });
  if (!model.ok()) return model.status();
  parts->model.emplace(std::move(*model));
  if (!config.teacher.empty()) {
    BITPILOT_RETURN_IF_ERROR(LoadTeacher(config, *parts->model, observer));
  }
  return parts;
}

}  // namespace bitpilot
