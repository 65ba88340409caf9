// What a live search works with: images, the network, the board.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "agent/fleet/board.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/qat/quantized_model.h"
#include "agent/results/search_observer.h"
#include "agent/session/search_resources.h"
#include "agent/study/search_config.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct LiveParts {
  SearchImages images;
  ImageDataset calibration;
  ImageDataset test;  // for CompareFinalists() alone
  std::optional<QuantizedModel> model;
  std::unique_ptr<Board> board;

  // Borrows, the test images excepted; valid while this object stays where it is.
  SearchResources resources() { return {&*model, board.get(), &images, &calibration}; }
};

// True if the board is on the machine that trains: this machine's own, or one that a daemon with
// --shares-agent-host answers for. Nothing trains while it measures. Nobody disturbs a model.
bool SharesThisMachine(const SearchConfig& config, const BoardInfo& board);

// Connects to the board that `config` names, then loads the rest. What the flags left out is filled in
// ("shipped", checksums); a checksum that is there already, because a study recorded it,
// must match.
//
// Errors:
//   kDataCorrupt  weights, images or a model board's table are not those of the study.
//   Also those of the readers and of the board; the message names the file, flag or board.
Result<std::unique_ptr<LiveParts>> LoadLiveParts(const ModelDefinition& definition,
                                                 SearchConfig& config, SearchObserver& observer,
                                                 const std::function<bool()>& stop);

}  // namespace bitpilot
