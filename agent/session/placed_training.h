// PlacedTraining: the network that a search trains, as a tree of places.
//
// Every training begins from a place whose state is a file beside the study, and leaves another. What
// is in memory between two calls never matters: the same place, widths and pace give the same bits,
// whatever was read, exported or measured in between.
//
// A search that trains nothing has one place, the start, without a file: the model as it was loaded,
// calibrated at each reading.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/qat/quantized_model.h"
#include "agent/qat/scored_network.h"
#include "agent/session/search_resources.h"
#include "agent/study/events.h"
#include "agent/study/search_config.h"
#include "agent/study/study_files.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "policies/environment.h"
#include "policies/trained_widths.h"

namespace bitpilot {

// A place on the disk.
struct PlaceFile {
  StoredFile file;            // empty where nothing trains
  int depth = 0;              // mini-batches that its weights have had
  TrainedWidths widths = {};  // that a search trained them at; places of other trainings have none
};

class PlacedTraining {
 public:
  // All references outlive the object. model and images: null in a verification, where nothing but
  // trains() may be called.
  //
  // stop: polled between mini-batches.
  PlacedTraining(const SearchConfig& config, const BitAssignment& base, const StudyFiles& files,
                 QuantizedModel* model, const SearchImages* images, const ImageDataset* calibration,
                 std::function<bool()> stop);

  bool trains() const { return config_.train_batches > 0; }
  // All but the rates.
  TrainOptions options() const;

  // Brings the model back to the start where nothing trains: what a final training did to it is undone.
  Status Reset();

  // Saves the state that everything begins from: the float weights, calibrated at 8 bits.
  //
  // Errors: those of the disk; kAborted if `stop` became true. REQUIRES: trains().
  Result<StoredFile> SaveStart();

  // Trains from a place and saves what that gives; without mini-batches nothing happens, and the
  // place stays. Training that diverged (a loss, a weight or a step size is not finite) leaves the
  // place that it began from.
  struct Trained {
    StoredFile file;
    std::optional<double> train_loss;  // mean, nats; absent without training
    bool diverged = false;
  };
  // Errors: those of the files; kAborted if `stop` became true.
  Result<Trained> Train(const PlaceFile& from, const BitAssignment& assignment, const Pace& pace);

  // Exports the network at these widths and reads its held-out loss; batch norm is estimated anew
  // where the search trains (agent/qat), otherwise calibrated. Nothing but where the loss is not finite:
  // the weights diverged.
  Result<std::optional<ScoredNetwork>> Read(const PlaceFile& at, const BitAssignment& assignment);

  // A network of these widths, with the weights of the start: what a board needs to time it.
  Result<Network> ExportForTiming(const PlaceFile& start, const BitAssignment& assignment);

  // Mean KL of the outputs at each of the assignments to the float network's, on the calibration
  // images, nats; nothing where it is no finite number.
  Result<std::vector<std::optional<double>>> Divergences(
      const PlaceFile& at, const std::vector<BitAssignment>& assignments);

 private:
  Status Restore(const PlaceFile& place);
  // Makes the model ready to be read at the widths that it has; false: the weights diverged.
  Result<bool> PrepareReading();

  const SearchConfig& config_;
  const BitAssignment& base_;
  const StudyFiles& files_;
  QuantizedModel* model_;
  const SearchImages* images_;
  const ImageDataset* calibration_;
  std::function<bool()> stop_;
  std::string loaded_;  // the model's state before its first reading, where nothing trains
};

}  // namespace bitpilot
