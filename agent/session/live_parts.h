// What a live search works with: images, the network, the boards.
#pragma once

#include <chrono>
#include <functional>
#include <map>
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
  std::unique_ptr<Board> board;         // of a search on one
  std::unique_ptr<ClassBoards> boards;  // that, once BoardsOf() was called, or a fleet's

  // REQUIRES: there is a board, or a fleet.
  ClassBoards& BoardsOf(const SearchConfig& config);

  // Borrows, the test images excepted; valid while this object stays where it is.
  SearchResources resources(const SearchConfig& config) {
    return {&*model, &BoardsOf(config), &images, &calibration};
  }
};

// True if the board is on the machine that trains: this machine's own, or one that a daemon with
// --shares-agent-host answers for. Nothing trains while it measures. Nobody disturbs a model.
bool SharesThisMachine(const SearchConfig& config, const BoardInfo& board);

// SearchOptions::max_wait of a search that predicts, if that is nothing.
inline constexpr std::chrono::minutes kPredictAfter{10};

struct ConnectOptions {
  SearchObserver* observer = nullptr;  // never null
  std::function<bool()> stop = {};
  std::optional<std::chrono::milliseconds> max_wait = std::nullopt;  // SearchOptions'
  bool predicts_missing = false;                                     // as above
  std::optional<LeaseTerms> lease = std::nullopt;                    // as above
  // Of a fleet that a study began with: what its boards were like, by class.
  std::map<ClassId, BoardInfo> expected = {};
};

// Connects to the board that `config` names, or to a fleet's by class, then loads the rest. What the flags left out is filled in
// ("shipped", checksums); a checksum that is there already, because a study recorded it,
// must match.
//
// Errors:
//   kDataCorrupt  weights, images or a model board's table are not those of the study.
//   Also those of the readers and of the board; the message names the file, flag or board.
Result<std::unique_ptr<LiveParts>> LoadLiveParts(const ModelDefinition& definition,
                                                 SearchConfig& config,
                                                 const ConnectOptions& options);

}  // namespace bitpilot
