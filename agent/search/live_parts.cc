#include "agent/search/live_parts.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/device/board_choice.h"
#include "agent/model/sample_data.h"
#include "agent/search/cpu_class.h"
#include "agent/search/energy_objective.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

Result<std::unique_ptr<Board>> ConnectToBoard(const SearchConfig& config, SearchObserver& observer,
                                              const std::function<bool()>& stop) {
  BoardOptions options;
  options.stop = stop;
  options.notice = [&observer](const std::string& text) { observer.OnNotice(text); };
  options.meter = config.meter;
  // Longer than a lease lives: an agent that was killed leaves its own behind on the board.
  options.lease_wait = std::chrono::seconds(40);
  return OpenChosenBoard(BoardChoiceOf(config), options);
}

}  // namespace

BoardChoice BoardChoiceOf(const SearchConfig& config) {
  return {config.device, config.fleet, config.board, config.fast, config.cpu};
}

Result<std::unique_ptr<LiveParts>> LoadLiveParts(const ModelDefinition& definition,
                                                 SearchConfig& config, SearchObserver& observer,
                                                 const std::function<bool()>& stop) {
  observer.OnPhase("loading " + config.model + " and the images", 0);
  if (config.weights.empty()) {
    Result<std::string> shipped = ShippedWeightsFile(config.model);
    if (!shipped.ok()) return shipped.status();
    config.weights = std::move(*shipped);
  }
  const auto settle = [](std::string& recorded, std::string found, const std::string& what) {
    if (!recorded.empty() && recorded != found) {
      return DataCorrupt(what + " changed since the study began: expected SHA-256 " + recorded +
                         ", got " + found);
    }
    recorded = std::move(found);
    return Status();
  };
  const Result<std::string> weights = ReadFile(config.weights);
  if (!weights.ok()) return weights.status().WithContext("--weights");
  BITPILOT_RETURN_IF_ERROR(settle(config.weights_sha256, Sha256Hex(*weights), config.weights));

  auto parts = std::make_unique<LiveParts>();
  Result<DataSplits> data = LoadDataSplits(config.data);
  if (!data.ok()) return data.status().WithContext("--data");
  const std::string fingerprint = Sha256Hex(
      data->train.Fingerprint() + data->validation.Fingerprint() + data->test.Fingerprint());
  BITPILOT_RETURN_IF_ERROR(settle(config.data_sha256, fingerprint, "--data " + config.data));
  if (config.train_batches > 0) {
    BITPILOT_RETURN_IF_ERROR(CheckBatchSize(config.batch_size, data->train.size()));
  }
  const auto asked = static_cast<std::size_t>(config.calibration_images);
  const std::size_t num_calibration =
      std::min({asked, data->train.size(), kCalibrationImages});
  if (num_calibration < asked) {
    observer.OnNotice("calibration reads " + std::to_string(num_calibration) +
                      " training images, not " + std::to_string(asked) +
                      ": the data, or calibration, has no more");
  }
  parts->calibration = data->train.Slice(0, num_calibration);
  parts->images = {std::move(data->train), std::move(data->validation)};
  parts->test = std::move(data->test);

  Result<QuantizedModel> model =
      QuantizedModel::Create(definition, config.weights, config.seed,
                             [&observer](const std::string& text) { observer.OnNotice(text); });
  if (!model.ok()) return model.status();
  parts->model.emplace(std::move(*model));
  observer.OnPhase("connecting to the board", 0);
  Result<std::unique_ptr<Board>> board = ConnectToBoard(config, observer, stop);
  if (!board.ok()) return board.status();
  parts->board = std::move(*board);
  BITPILOT_RETURN_IF_ERROR(CheckEnergyCanBeSearched(config, parts->board->info()));
  if (config.device.starts_with("local")) LeaveToTheBoard(parts->board->info().cpu);
  return parts;
}

}  // namespace bitpilot
