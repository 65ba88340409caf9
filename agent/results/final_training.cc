#include "agent/results/final_training.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "agent/fleet/stopped.h"
#include "agent/qat/scored_network.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/check.h"
#include "kernels/base/network_file.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr char kNoFiniteStart[] =
    "the loss at these widths is no finite number at any start (the weights diverged)";

// The start that has the lower loss; one whose loss is no finite number is none.
bool IsFromTwin(const TrainedEvent& event) {
  return event.twin_loss && (!event.search_loss || *event.twin_loss < *event.search_loss);
}

Status NothingToCompareWith() {
  return Status(StatusCode::kInternal, "uniform 8 bit: " + std::string(kNoFiniteStart) +
                                           ", so there is nothing to compare the finalists with");
}

// Trains finalists one after the other, on one model.
class FinalTrainer {
 public:
  FinalTrainer(const FinalTrainingJob& job, const FinalTrainingParts& parts,
               const StudyFiles& files, SearchObserver& observer, const std::function<bool()>& stop)
      : job_(job), parts_(parts), files_(files), observer_(observer), stop_(stop) {}

  Result<TrainedEvent> Train(const Finalist& finalist) {
    if (stop_()) return Stopped();
    TrainedEvent event;
    event.assignment_id = AssignmentId(finalist.assignment);
    Result<Reading> reading =
        job_.search ? ReadBetterStart(finalist, event) : ReadCalibrated(finalist);
    if (!reading.ok()) return reading.status();
    if (!*reading) {
      if (finalist.role == FinalistRole::kUniform8) return NothingToCompareWith();
      observer_.OnNotice(finalist.label() + ": " + kNoFiniteStart + "; it is not compared");
      return event;
    }
    if (job_.batches > 0) {
      Result<Reading> trained = TrainOn(event);
      if (!trained.ok()) return trained.status();
      event.diverged = !trained->has_value();
      if (*trained) reading = std::move(*trained);
    }
    if (event.diverged) {
      event.batches = 0;
      event.train_loss.reset();
      observer_.OnNotice(finalist.label() +
                         ": its final training diverged (a loss or a weight is no finite number); "
                         "compared as it was before that");
    }
    event.score = (*reading)->score;
    const Result<StoredFile> stored =
        files_.Put(StudyFileKind::kNetwork, SerializeNetwork((*reading)->network));
    if (!stored.ok()) return stored.status();
    event.network_sha256 = stored->sha256;
    return event;
  }

 private:
  // Nothing: at these widths something is no finite number.
  using Reading = std::optional<ScoredNetwork>;

  // Reads both starts at the finalist's widths; the model is left at the one that is better.
  Result<Reading> ReadBetterStart(const Finalist& finalist, TrainedEvent& event) {
    Result<Reading> search = ReadStart(finalist, *job_.search);
    if (!search.ok()) return search.status();
    event.search_loss = LossOf(*search);
    event.depth = job_.search->depth;
    if (!job_.twin) return search;
    Result<Reading> twin = ReadStart(finalist, *job_.twin);
    if (!twin.ok()) return twin.status();
    event.twin_loss = LossOf(*twin);
    event.from_twin = IsFromTwin(event);
    if (event.from_twin) {
      event.depth = job_.twin->depth;
      return twin;
    }
    if (job_.batches > 0) BITPILOT_RETURN_IF_ERROR(Load(finalist, *job_.search));
    return search;
  }

  static std::optional<double> LossOf(const Reading& reading) {
    if (!reading) return std::nullopt;
    return reading->score.loss;
  }

  Result<Reading> ReadStart(const Finalist& finalist, const FinalStart& start) {
    BITPILOT_RETURN_IF_ERROR(Load(finalist, start));
    return ReadReestimated();
  }

  Status Load(const Finalist& finalist, const FinalStart& start) {
    if (stop_()) return Stopped();
    const Result<std::string> checkpoint = files_.Get(start.checkpoint);
    if (!checkpoint.ok()) return checkpoint.status();
    BITPILOT_RETURN_IF_ERROR(
        parts_.model->LoadCheckpoint(*checkpoint).WithContext(start.checkpoint.file));
    return parts_.model->SetAssignment(finalist.assignment);
  }

  Result<Reading> ReadCalibrated(const Finalist& finalist) {
    if (untrained_.empty()) {
      untrained_ = parts_.model->SaveCheckpoint();
    } else {
      BITPILOT_RETURN_IF_ERROR(parts_.model->LoadCheckpoint(untrained_));
    }
    BITPILOT_RETURN_IF_ERROR(parts_.model->SetAssignment(finalist.assignment));
    parts_.model->Calibrate(*parts_.calibration);
    return Read();
  }

  // Nothing if it diverged.
  Result<Reading> TrainOn(TrainedEvent& event) {
    TrainOptions options = job_.options;
    options.rate_begin = 1.0;
    options.rate_end = 0.0;
    event.batches = job_.batches;
    event.train_loss = parts_.model->Train(*parts_.train, job_.batches, options, stop_);
    if (stop_()) return Stopped();
    if (!event.train_loss || !std::isfinite(*event.train_loss)) return Reading();
    return ReadReestimated();
  }

  Result<Reading> ReadReestimated() {
    const Status estimated =
        parts_.model->ReestimateBatchNorm(*parts_.train, job_.reestimation_batches);
    if (estimated.code() == StatusCode::kUnsupported) return Reading();  // weights that diverged
    if (!estimated.ok()) return estimated;
    return Read();
  }

  // From the integer network, which is what the board runs.
  Result<Reading> Read() const { return ScoreNetwork(parts_.model->Export(), *parts_.validation); }

  const FinalTrainingJob& job_;
  const FinalTrainingParts& parts_;
  const StudyFiles& files_;
  SearchObserver& observer_;
  const std::function<bool()>& stop_;
  std::string untrained_;  // the state that calibration starts from
};

// What of a logged training follows from the log before it.
Result<TrainedEvent> Recompute(const TrainedEvent& logged, const Finalist& finalist,
                               const FinalTrainingJob& job) {
  if ((logged.search_loss && !job.search) || (logged.twin_loss && !(job.search && job.twin))) {
    return DataCorrupt("a final training has the loss of a start that there is not");
  }
  const bool has_start = !job.search || logged.search_loss || logged.twin_loss;
  if (logged.score.has_value() && !has_start) {
    return DataCorrupt("a final training of " + finalist.label() +
                       " has a score and no start with a loss");
  }
  if (!logged.score && ((job.search && has_start) || finalist.role == FinalistRole::kUniform8)) {
    return DataCorrupt("a final training of " + finalist.label() +
                       " has a start with a loss and no score");
  }
  if (const std::optional<Scored>& score = logged.score;
      score && (score->total <= 0 || score->correct < 0 || score->correct > score->total)) {
    return DataCorrupt("a final training of " + finalist.label() + " scored " +
                       std::to_string(score->correct) + " of " + std::to_string(score->total) +
                       " images");
  }
  const bool trained = job.batches > 0 && logged.score && !logged.diverged;
  if (trained && !logged.train_loss) {
    return DataCorrupt("a final training of " + finalist.label() +
                       " without its loss, which did not diverge");
  }
  TrainedEvent again = logged;
  again.assignment_id = AssignmentId(finalist.assignment);
  again.from_twin = IsFromTwin(logged);
  again.depth = !job.search ? 0 : again.from_twin ? job.twin->depth : job.search->depth;
  again.batches = trained ? job.batches : 0;
  again.diverged = logged.diverged && logged.score && job.batches > 0;
  if (!trained) again.train_loss.reset();
  if (!logged.score) again.network_sha256.clear();
  return again;
}

TrainedFinalist WithTraining(const Finalist& finalist, const TrainedEvent& event,
                             const FinalTrainingJob& job) {
  TrainedFinalist trained;
  trained.finalist = finalist;
  trained.start = !job.search       ? TrainingStart::kCalibrated
                  : event.from_twin ? TrainingStart::kTwin
                                    : TrainingStart::kSearch;
  if (!event.score) {
    trained.no_network_reason = kNoFiniteStart;
    return trained;
  }
  trained.network = NetworkFile(event.network_sha256, "");
  trained.validation_accuracy = 1.0 - event.score->error();
  trained.mini_batches = event.depth + event.batches;
  trained.final_batches = event.batches;
  trained.diverged = event.diverged;
  return trained;
}

// The network that a finalist has without a final training; nullopt if none.
std::optional<TrainedFinalist> AsItIs(const SearchProblem& problem, const Finalist& finalist,
                                      const std::vector<TransitionEvent>& transitions,
                                      const FinalTrainingJob& job) {
  if (finalist.step) {
    const TransitionEvent& answer = transitions[static_cast<std::size_t>(*finalist.step)];
    BITPILOT_CHECK(answer.score.has_value());
    TrainedFinalist result;
    result.finalist = finalist;
    result.network = NetworkFile(answer.network_sha256, "");
    result.validation_accuracy = 1.0 - answer.score->error();
    result.start = job.search ? TrainingStart::kSearch : TrainingStart::kCalibrated;
    result.mini_batches = answer.at.depth;
    return result;
  }
  if (finalist.role != FinalistRole::kUniform8 || job.search) return std::nullopt;
  TrainedFinalist result;
  result.finalist = finalist;
  result.network = job.uniform8;
  result.validation_accuracy = problem.uniform8.accuracy;
  return result;
}

std::string NoteOf(const TrainedFinalist& finalist, const TrainedEvent& event) {
  if (!finalist.has_network()) return finalist.finalist.label() + ": not compared";
  char accuracy[32];
  std::snprintf(accuracy, sizeof accuracy, "%.4f", finalist.validation_accuracy);
  return finalist.finalist.label() + " from " + std::string(ToString(finalist.start)) +
         ", validation accuracy " + accuracy + (event.diverged ? " (diverged)" : "");
}

}  // namespace

Result<std::vector<TrainedFinalist>> TrainFinalists(
    const SearchProblem& problem, const std::vector<Finalist>& finalists,
    const std::vector<TransitionEvent>& transitions, const FinalTrainingJob& job,
    const FinalTrainingParts& parts, Journal& journal, const StudyFiles& files,
    SearchObserver& observer, const std::function<bool()>& stop) {
  bool is_announced = job.batches == 0;
  const auto announce = [&] {
    if (std::exchange(is_announced, true)) return;
    observer.OnPhase("training the finalists, " +
                         Counted(job.batches, "mini-batch", "mini-batches") +
                         " each at their own widths",
                     static_cast<int>(finalists.size()));
  };
  FinalTrainer trainer(job, parts, files, observer, stop);
  std::map<std::string, TrainedEvent> known;  // by assignment: equal widths train once
  std::vector<TrainedFinalist> results;
  for (const Finalist& finalist : finalists) {
    if (job.batches == 0) {
      if (auto as_it_is = AsItIs(problem, finalist, transitions, job)) {
        results.push_back(std::move(*as_it_is));
        continue;
      }
    }
    const std::string id = AssignmentId(finalist.assignment);
    auto event = known.find(id);
    if (event == known.end()) {
      const Result<TrainedEvent> observed = journal.Observe<TrainedEvent>(
          [&] {
            announce();
            return trainer.Train(finalist);
          },
          [&](const TrainedEvent& logged) { return Recompute(logged, finalist, job); });
      if (!observed.ok()) return observed.status();
      event = known.emplace(id, *observed).first;
    }
    results.push_back(WithTraining(finalist, event->second, job));
    if (job.batches > 0 && !journal.last_was_logged()) {
      observer.OnProgress(static_cast<int>(results.size()), NoteOf(results.back(), event->second));
    }
  }
  return results;
}

}  // namespace bitpilot
