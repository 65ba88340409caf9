// The final training: every network of the final table, references included, trains as many
// mini-batches at its own widths, so that the table compares widths and not how long weights had
// trained.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/qat/quantized_model.h"
#include "agent/results/finalists.h"
#include "agent/results/search_observer.h"
#include "agent/study/finalist_role.h"
#include "agent/study/journal.h"
#include "agent/study/study_files.h"
#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

// A state to train on from.
struct FinalStart {
  StoredFile checkpoint;
  int depth = 0;  // mini-batches that its weights have had
};

struct FinalTrainingJob {
  int batches = 0;  // of each network; 0: none trains, and the table is not of equals
  // The place where the search stopped; absent where the search does not train: then all start from
  // the float weights, calibrated at their widths.
  std::optional<FinalStart> search;
  // Where uniform 8 bit ended that trained alone; absent where there is no such network.
  std::optional<FinalStart> twin;
  StoredFile uniform8;   // the calibrated network that the search compared all candidates with
  TrainOptions options;  // all but the rate: that falls from 1 to 0 by half a cosine
  int reestimation_batches = kReestimationBatches;  // of batch norm, before any reading
};

// What training works with. All borrowed; a verification has none of them.
struct FinalTrainingParts {
  QuantizedModel* model = nullptr;
  const ImageDataset* train = nullptr;
  const ImageDataset* validation = nullptr;
  const ImageDataset* calibration = nullptr;  // as QuantizedModel::Calibrate() reads them
};

// A finalist and the network that it is compared with.
struct TrainedFinalist {
  Finalist finalist;
  // Empty if it is not compared: then the next one says why, and figures have no meaning.
  StoredFile network;
  std::string no_network_reason;
  double validation_accuracy = 0.0;  // of that network, in [0, 1]
  TrainingStart start = TrainingStart::kCalibrated;
  std::int64_t mini_batches = 0;  // that its weights had had in all
  int final_batches = 0;          // of them at its own widths, after the search
  bool diverged = false;          // its final training did, and was undone

  bool has_network() const { return no_network_reason.empty(); }
};

// Trains every finalist from the start that validates better at its widths, batch norm re-estimated
// first: the place where the search stopped or the twin's end. One "trained" event for each set of
// widths, with the network file beside the study before it: an interruption costs the training of
// one. Training that diverges is an outcome: the network is that of the start, and the observer is
// told. A start at whose weights the loss is no finite number at a finalist's widths is none for it; a
// finalist without any has no network, the observer is told, and the others go on.
//
// Without batches a finalist keeps the network of its step, uniform 8 bit of a search that does not
// train the calibrated one; whoever has none yet gets a "trained" event of no mini-batches.
//
// transitions: of all steps.
// stop: polled; once true the finalist in work is given up.
//
// Returns one a finalist, in order. The model is left in any state.
//
// Errors: the journal's, the files' and the model's; kAborted if `stop` became true; kInternal if
// uniform 8 bit, which all are compared with, has no network; kDataCorrupt if a logged training does
// not follow from the log before it.
Result<std::vector<TrainedFinalist>> TrainFinalists(
    const SearchProblem& problem, const std::vector<Finalist>& finalists,
    const std::vector<TransitionEvent>& transitions, const FinalTrainingJob& job,
    const FinalTrainingParts& parts, Journal& journal, const StudyFiles& files,
    SearchObserver& observer, const std::function<bool()>& stop);

}  // namespace bitpilot
