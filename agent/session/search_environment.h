// SearchEnvironment: policies/environment.h over a training network, a board and the study's
// journal.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/model/image_dataset.h"
#include "agent/qat/quantized_model.h"
#include "agent/session/search_config.h"
#include "agent/session/step_measurement.h"
#include "agent/study/journal.h"
#include "agent/study/study_files.h"
#include "policies/environment.h"

namespace bitpilot {

// The images that a search may read. Those of the test range are not among them: they have a way to
// CompareFinalists() only, so that nothing that decides can see them.
struct SearchImages {
  ImageDataset train;
  ImageDataset validation;
};

// What a live search works with. All borrowed; a verification has none of them.
struct SearchResources {
  QuantizedModel* model = nullptr;
  Board* board = nullptr;
  const SearchImages* data = nullptr;
  const ImageDataset* calibration = nullptr;  // the training images that Calibrate() reads
};

// One step: the board measures the candidate while the network trains at its widths; then the
// held-out loss is read from the exported integer network, which is what the board would run. While
// the journal replays, nothing trains and nothing is measured; the first live step restores the
// last checkpoint.
//
// Training that diverges (a loss, a weight or the exported network is not finite) is an outcome:
// its step ends with kDiverged, and the next one trains on from the state before it.
//
// The candidate and uniform 8 bit are measured in interleaved rounds, because boards drift by more
// than the differences that a search looks for. A transition's latency is the ratio of the two
// times the problem's 8-bit reference, so that all steps share one scale; the rows keep what was
// measured.
//
// Files: the networks of the steps that are kept, and the last two checkpoints, of which the first
// is made before the first step.
class SearchEnvironment final : public Environment {
 public:
  // uniform8: the network that all candidates are compared with.
  // stop: polled; once true, Step() returns nullopt and nothing of that step is logged as done.
  SearchEnvironment(const SearchConfig& config, const SearchProblem& problem, StoredFile uniform8,
                    Journal& journal, const StudyFiles& files, const SearchResources& resources,
                    std::function<bool()> stop);

  const SearchProblem& problem() const override { return problem_; }
  int measurements_left() const override { return config_.measurements - step_; }
  std::optional<Transition> Step(const Proposal& proposal) override;

  // Call before the first Step(): logs the checkpoint that a training search starts from, so that
  // it can be resumed from then on.
  //
  // Errors: the journal's and the file's; kAborted if `stop` became true.
  Status Begin();

  // Why Step() returned nullopt: OK if it was asked to stop.
  const Status& status() const { return status_; }

  // What was wrong with the last step, for people: "not measured: TIMED_OUT: ..." as the board said
  // it, or that training diverged; empty if it was measured, or rejected before.
  const std::string& failure() const { return failure_; }

  const std::vector<TransitionEvent>& transitions() const { return transitions_; }

  // Mini-batches that the weights had had after the first `steps` steps.
  std::int64_t MiniBatchesAfter(int steps) const;

  // Removes the network files of all steps but `steps`, unless one of these has the same. A step
  // that was not kept once must never be kept again.
  void KeepNetworks(const std::vector<int>& steps);

  // The network that one more step at `assignment` gives: the weights as they are, trained at these
  // widths for a step's mini-batches, at the learning rate that the search has come to. That is 0
  // after a whole search: then only batch norm's statistics settle. Without training: calibrated.
  struct TrainedReference {
    Network network;
    bool diverged = false;  // training did: this is the network as it was before, at these widths
  };
  // REQUIRES: the journal records.
  Result<TrainedReference> TrainReference(const BitAssignment& assignment);

  // What the log says of the network of a step.
  StoredFile NetworkOf(int step) const;

 private:
  // The step in flight. Each part of its work happens at most once, and only if the log does not
  // answer it.
  struct Work {
    BitAssignment assignment;
    // What the board measures, and borrows meanwhile: exported before this step's training, unless
    // the checkpoint that was restored contains that.
    std::optional<Network> network;
    std::optional<Network> trained_network;  // exported after this step's training
    std::optional<Evaluation> evaluation;    // of result()
    Tier tier = Tier::kScreen;
    bool measuring = false;     // a job is started and not finished
    bool knows_energy = false;  // both networks' energies were measured
    bool trained = false;
    bool diverged = false;
    std::optional<double> train_loss;

    // The network that the step ends with.
    const Network& result() const { return trained_network ? *trained_network : *network; }
  };

  Result<TransitionEvent> RunStep(const Proposal& proposal, Work& work);
  // Restores the model, switches it to the assignment and exports the network to measure.
  Status Prepare(Work& work);
  Status StartMeasuring(Work& work);
  Status Train(Work& work);
  // Reads the held-out loss, once.
  Status Score(Work& work);
  // True if the loss, the network that training gave or its held-out loss is not finite.
  Result<bool> Diverged(const std::optional<double>& train_loss, Work& work);
  // Gives the model the state before this step's training.
  Status Undo(Work& work);
  // The answer that counts (MeasureStep()).
  Result<StepRows> Measure(Work& work);
  Result<StepRows> MeasureOnce(Work& work, const std::string& measurement_id);
  Status Checkpoint(Work& work);
  // A logged checkpoint of this step, as far as the log before it says what it must be.
  //
  // Errors: kDataCorrupt if its training must have given a loss and it has none.
  Result<CheckpointEvent> Recompute(const CheckpointEvent& logged) const;
  // Makes `last` the checkpoint that counts.
  void KeepLastTwoCheckpoints(CheckpointEvent last);
  Result<TransitionEvent> Evaluate(const Proposal& proposal, const StepRows& rows, Work& work);
  // What the step comes to: a function of the rows, of the network's hash and of its held-out loss
  // and accuracy.
  TransitionEvent Conclude(const Proposal& proposal, const StepRows& rows, const Work& work,
                           const std::string& network_sha256, double loss, double accuracy) const;
  void FillLatency(const StepRows& rows, Transition& transition) const;
  void FillEnergy(const StepRows& rows, Transition& transition) const;
  // The problem's 8-bit network, from its file when the first live step asks for it.
  Result<const Network*> Uniform8();
  // Loads the state that the log ends with, unless the model has it.
  Status RestoreModel();
  TransitionEvent Reject(const Proposal& proposal, std::int64_t weight_bytes) const;

  const SearchConfig& config_;
  const SearchProblem& problem_;
  StoredFile uniform8_file_;
  Journal& journal_;
  const StudyFiles& files_;
  SearchResources resources_;
  std::function<bool()> stop_;
  int step_ = 0;
  // Steps whose training the model in memory contains; absent until it was restored here.
  std::optional<int> model_steps_;
  std::optional<CheckpointEvent> checkpoint_;  // the last one logged
  std::string state_before_;                   // a checkpoint, where none was logged yet
  StoredFile earlier_checkpoint_;              // the logged one before the last
  std::optional<Network> uniform8_;
  std::vector<TransitionEvent> transitions_;
  std::vector<int> kept_steps_;  // whose network files may exist, ascending
  std::string failure_;
  Status status_;
};

}  // namespace bitpilot
