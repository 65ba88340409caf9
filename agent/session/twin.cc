#include "agent/session/twin.h"

#include <utility>

#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// Share of the learning rate after `spent` of `total` mini-batches, as policies/pace.h has it.
double RateShare(int spent, int total) {
  return PlainHalfCosine(static_cast<double>(spent) / total);
}

// Mini-batches before reading `i`, 0 .. kTwinReadings - 1.
int BatchesAt(int i, int total) {
  return static_cast<int>(static_cast<std::int64_t>(total) * i / (kTwinReadings - 1));
}

AnchorReading ToReading(const Scored& score, int batches) {
  return {batches, score.loss, score.loss_error, score.error()};
}

class Twin {
 public:
  Twin(const SearchConfig& config, const SearchProblem& problem, PlacedTraining& training,
       const TwinCache& cache, Journal& journal, const StudyFiles& files, SearchObserver& observer)
      : total_(config.train_batches * config.measurements),
        uniform8_(UniformAssignment(problem.topology, 8, 8)),
        training_(training),
        cache_(cache),
        journal_(journal),
        files_(files),
        observer_(observer) {}

  Result<AnchorEvent> Train(const SearchConfig& config, const StoredFile& start) {
    PlaceFile place{start, 0};
    Anchor anchor;
    TwinLosses losses;
    const std::string key = training_.trains() ? TwinKey(config, start.sha256) : std::string();
    if (training_.trains()) BITPILOT_RETURN_IF_ERROR(TakeFromCache(key, &place, &anchor, &losses));
    const int last = total_ > 0 ? kTwinReadings : 1;
    for (int i = static_cast<int>(anchor.readings.size()); i < last; ++i) {
      BITPILOT_RETURN_IF_ERROR(journal_.Heartbeat());
      BITPILOT_RETURN_IF_ERROR(TrainTo(BatchesAt(i, total_), start, &place));
      Result<std::optional<ScoredNetwork>> read = training_.Read(place, uniform8_);
      if (!read.ok()) return read.status();
      if (!*read) return Diverged();
      anchor.readings.push_back(ToReading((*read)->score, place.depth));
      losses.Add(place.depth, std::move((*read)->losses));
      if (training_.trains()) BITPILOT_RETURN_IF_ERROR(Keep(key, place, anchor, losses));
      observer_.OnProgress(i + 1, std::to_string(place.depth) + " mini-batches");
    }
    const Result<StoredFile> stored = files_.Put(StudyFileKind::kLosses, losses.Serialize());
    if (!stored.ok()) return stored.status();
    return AnchorEvent{std::move(anchor), place.file.sha256, place.file.file, stored->sha256,
                       stored->file};
  }

 private:
  // Trains on until the weights have had so many mini-batches.
  Status TrainTo(int batches, const StoredFile& start, PlaceFile* place) {
    if (batches == place->depth) return Status();  // nothing trains, or the first reading
    const Pace pace{batches - place->depth, RateShare(place->depth, total_),
                    RateShare(batches, total_)};
    Result<PlacedTraining::Trained> trained = training_.Train(*place, uniform8_, pace);
    if (!trained.ok()) return trained.status();
    if (trained->diverged) return Diverged();
    if (place->file != start && place->file != trained->file) files_.Remove(place->file);
    *place = {std::move(trained->file), batches};
    return Status();
  }

  Status TakeFromCache(const std::string& key, PlaceFile* place, Anchor* anchor,
                       TwinLosses* losses) {
    std::optional<CachedTwin> cached = cache_.Find(key);
    if (!cached || cached->readings.size() > kTwinReadings) return Status();
    for (std::size_t i = 0; i < cached->readings.size(); ++i) {
      if (cached->readings[i].batches != BatchesAt(static_cast<int>(i), total_)) return Status();
    }
    const Result<StoredFile> file = files_.Put(StudyFileKind::kCheckpoint, cached->state);
    if (!file.ok()) return file.status();
    *place = {*file, cached->readings.back().batches};
    anchor->readings = std::move(cached->readings);
    *losses = std::move(cached->losses);
    return Status();
  }

  Status Keep(const std::string& key, const PlaceFile& place, const Anchor& anchor,
              const TwinLosses& losses) {
    Result<std::string> state = files_.Get(place.file);
    if (!state.ok()) return state.status();
    cache_.Keep(key, {anchor.readings, losses, std::move(*state)});
    return Status();
  }

  static Status Diverged() {
    return InvalidArgument(
        "training uniform 8 bit alone diverged (a loss or a weight is no finite number): use a "
        "lower --learning-rate");
  }

  int total_;
  BitAssignment uniform8_;
  PlacedTraining& training_;
  const TwinCache& cache_;
  Journal& journal_;
  const StudyFiles& files_;
  SearchObserver& observer_;
};

}  // namespace

Result<AnchorEvent> SettleTwin(const SearchConfig& config, const SearchProblem& problem,
                               const StoredFile& start, PlacedTraining& training,
                               const TwinCache& cache, Journal& journal, const StudyFiles& files,
                               SearchObserver& observer) {
  return journal.Observe<AnchorEvent>(
      [&] {
        if (training.trains()) {
          observer.OnPhase("training uniform 8 bit alone, to compare with", kTwinReadings);
        }
        return Twin(config, problem, training, cache, journal, files, observer)
            .Train(config, start);
      },
      [&](const AnchorEvent& logged) -> Result<AnchorEvent> {
        if (logged.anchor.readings.empty()) return DataCorrupt("the anchor has no reading");
        AnchorEvent again = logged;
        if (training.trains()) {
          again.file = StudyFileName(StudyFileKind::kCheckpoint, logged.sha256);
        }
        if (!logged.losses_sha256.empty()) {
          again.losses_file = StudyFileName(StudyFileKind::kLosses, logged.losses_sha256);
        }
        return again;
      });
}

Result<TwinLosses> LossesOf(const AnchorEvent& twin, const StudyFiles& files) {
  if (twin.losses_sha256.empty()) return TwinLosses();
  const Result<std::string> bytes = files.Get({twin.losses_sha256, twin.losses_file});
  if (!bytes.ok()) return bytes.status();
  Result<TwinLosses> losses = TwinLosses::Parse(*bytes);
  if (!losses.ok()) return losses.status().WithContext(twin.losses_file);
  if (losses->AreOf(twin.anchor)) return losses;
  return DataCorrupt(twin.losses_file +
                     ": these losses were not read where the log says that the " + "twin was");
}

}  // namespace bitpilot
