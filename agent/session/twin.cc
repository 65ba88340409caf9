#include "agent/session/twin.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/number_text.h"
#include "policies/pace.h"
#include "policies/plain_math.h"

namespace bitpilot {
namespace {

// Mini-batches that the twin trains between two budgets, and the share of the learning rate that it
// begins at. It falls to nothing, as policies/pace.h has it.
struct Stretch {
  int begin = 0;
  int end = 0;
  double peak = 1.0;
};

double RateShare(const Stretch& stretch, int spent) {
  return stretch.peak * PlainHalfCosine(static_cast<double>(spent - stretch.begin) /
                                        (stretch.end - stretch.begin));
}

// Mini-batches before reading `i` of the stretch, 0 .. kTwinReadings - 1.
int BatchesAt(const Stretch& stretch, int i) {
  const std::int64_t length = stretch.end - stretch.begin;
  return stretch.begin + static_cast<int>(length * i / (kTwinReadings - 1));
}

AnchorReading ToReading(const Scored& score, int batches) {
  return {batches, score.loss, score.loss_error, score.error()};
}

bool IsFurther(const CachedTwin& twin, const std::optional<CachedTwin>& other) {
  return !other || twin.readings.size() > other->readings.size();
}

// The twin so far. The last reading is the first one of what it trains next.
struct TwinSoFar {
  PlaceFile place;  // after the last reading; the start before the first
  Anchor anchor;
  TwinLosses losses;  // of the readings; empty where those of before have none
};

class Twin {
 public:
  Twin(const Stretch& stretch, const SearchProblem& problem, PlacedTraining& training,
       const TwinCache& cache, Journal& journal, const StudyFiles& files, SearchObserver& observer)
      : stretch_(stretch),
        uniform8_(UniformAssignment(problem.topology, 8, 8)),
        training_(training),
        cache_(cache),
        of_study_(TwinCache::OfStudy(files)),
        journal_(journal),
        files_(files),
        observer_(observer) {}

  Result<AnchorEvent> Train(const std::string& key, TwinSoFar twin) {
    const StoredFile start = twin.place.file;
    const bool has_losses = twin.losses.AreOf(twin.anchor);
    const int before = std::max(0, static_cast<int>(twin.anchor.readings.size()) - 1);
    if (training_.trains()) BITPILOT_RETURN_IF_ERROR(TakeFromCache(key, before, &twin));
    const int last = stretch_.begin < stretch_.end ? kTwinReadings : 1;
    for (int i = static_cast<int>(twin.anchor.readings.size()) - before; i < last; ++i) {
      BITPILOT_RETURN_IF_ERROR(journal_.Heartbeat());
      BITPILOT_RETURN_IF_ERROR(TrainTo(BatchesAt(stretch_, i), start, &twin.place));
      Result<std::optional<ScoredNetwork>> read = training_.Read(twin.place, uniform8_);
      if (!read.ok()) return read.status();
      if (!*read) return Diverged();
      twin.anchor.readings.push_back(ToReading((*read)->score, twin.place.depth));
      if (has_losses) twin.losses.Add(twin.place.depth, std::move((*read)->losses));
      if (training_.trains()) BITPILOT_RETURN_IF_ERROR(Keep(key, twin));
      observer_.OnProgress(i + 1, Counted(twin.place.depth, "mini-batch", "mini-batches"));
    }
    AnchorEvent event{std::move(twin.anchor), twin.place.file.sha256, twin.place.file.file, "", ""};
    if (has_losses) {
      const Result<StoredFile> stored = files_.Put(StudyFileKind::kLosses, twin.losses.Serialize());
      if (!stored.ok()) return stored.status();
      event.losses_sha256 = stored->sha256;
      event.losses_file = stored->file;
    }
    return event;
  }

 private:
  // Trains on until the weights have had so many mini-batches.
  Status TrainTo(int batches, const StoredFile& start, PlaceFile* place) {
    if (batches == place->depth) return Status();  // nothing trains, or the first reading
    const Pace pace{batches - place->depth, RateShare(stretch_, place->depth),
                    RateShare(stretch_, batches)};
    Result<PlacedTraining::Trained> trained = training_.Train(*place, uniform8_, pace);
    if (!trained.ok()) return trained.status();
    if (trained->diverged) return Diverged();
    if (place->file != start && place->file != trained->file) files_.Remove(place->file);
    *place = {std::move(trained->file), batches};
    return Status();
  }

  // before: readings that are not of this stretch.
  Status TakeFromCache(const std::string& key, int before, TwinSoFar* twin) {
    std::optional<CachedTwin> cached = of_study_.Find(key);
    if (std::optional<CachedTwin> shared = cache_.Find(key); shared && IsFurther(*shared, cached)) {
      cached = std::move(shared);
    }
    if (!cached || cached->readings.size() <= twin->anchor.readings.size()) return Status();
    if (static_cast<int>(cached->readings.size()) > before + kTwinReadings) return Status();
    if (!std::equal(twin->anchor.readings.begin(), twin->anchor.readings.end(),
                    cached->readings.begin())) {
      return Status();
    }
    for (int i = before; i < static_cast<int>(cached->readings.size()); ++i) {
      const int batches = cached->readings[static_cast<std::size_t>(i)].batches;
      if (batches != BatchesAt(stretch_, i - before)) return Status();
    }
    const Result<StoredFile> file = files_.Put(StudyFileKind::kCheckpoint, cached->state);
    if (!file.ok()) return file.status();
    twin->place = {*file, cached->readings.back().batches};
    twin->anchor.readings = std::move(cached->readings);
    twin->losses = std::move(cached->losses);
    return Status();
  }

  Status Keep(const std::string& key, const TwinSoFar& twin) {
    Result<std::string> state = files_.Get(twin.place.file);
    if (!state.ok()) return state.status();
    const CachedTwin so_far{twin.anchor.readings, twin.losses, std::move(*state)};
    of_study_.Keep(key, so_far);
    cache_.Keep(key, so_far);
    return Status();
  }

  Status Diverged() const {
    if (stretch_.begin > 0) {
      return InvalidArgument(
          "training uniform 8 bit alone for the extension diverged (a loss or a weight is no "
          "finite "
          "number): this search cannot go on; start a new one with a lower --learning-rate");
    }
    return InvalidArgument(
        "training uniform 8 bit alone diverged (a loss or a weight is no finite number): use a "
        "lower --learning-rate");
  }

  Stretch stretch_;
  BitAssignment uniform8_;
  PlacedTraining& training_;
  const TwinCache& cache_;
  const TwinCache of_study_;
  Journal& journal_;
  const StudyFiles& files_;
  SearchObserver& observer_;
};

// Of the anchor of an extended search, which goes on from this one.
int OfFirstBudget(const Anchor& before) {
  return before.of_first_budget != 0 ? before.of_first_budget
                                     : static_cast<int>(before.readings.size());
}

// What of a logged event follows from the twin before it.
Result<AnchorEvent> Recompute(const AnchorEvent& logged, const AnchorEvent& twin,
                              const Stretch& stretch) {
  const std::vector<AnchorReading>& before = twin.anchor.readings;
  const std::size_t expected = before.size() + kTwinReadings - 1;
  if (logged.anchor.readings.size() != expected) {
    return DataCorrupt("the anchor of an extended search has " +
                       std::to_string(logged.anchor.readings.size()) + " readings, expected " +
                       std::to_string(expected));
  }
  AnchorEvent again = logged;
  std::copy(before.begin(), before.end(), again.anchor.readings.begin());
  for (int i = 1; i < kTwinReadings; ++i) {
    again.anchor.readings[before.size() + static_cast<std::size_t>(i) - 1].batches =
        BatchesAt(stretch, i);
  }
  again.anchor.of_first_budget = OfFirstBudget(twin.anchor);
  again.file = StudyFileName(StudyFileKind::kCheckpoint, logged.sha256);
  again.losses_file = logged.losses_sha256.empty()
                          ? std::string()
                          : StudyFileName(StudyFileKind::kLosses, logged.losses_sha256);
  return again;
}

}  // namespace

Result<AnchorEvent> SettleTwin(const SearchConfig& config, const SearchProblem& problem,
                               const StoredFile& start, PlacedTraining& training,
                               const TwinCache& cache, Journal& journal, const StudyFiles& files,
                               SearchObserver& observer) {
  Result<AnchorEvent> twin = journal.Observe<AnchorEvent>(
      [&] {
        if (training.trains()) {
          observer.OnPhase("training uniform 8 bit alone, to compare with", kTwinReadings);
        } else {
          observer.OnPhase("reading uniform 8 bit, to compare with", 1);
        }
        const int total = TotalsOf(config).mini_batches;
        return Twin({0, total, 1.0}, problem, training, cache, journal, files, observer)
            .Train(TwinKey(config, total, start.sha256), {{start, 0}, {}, {}});
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
  if (twin.ok() && journal.recording()) TwinCache::OfStudy(files).Forget();
  return twin;
}

Result<AnchorEvent> ExtendTwin(const SearchConfig& config, const SearchProblem& problem,
                               const AnchorEvent& twin, int total, PlacedTraining& training,
                               const TwinCache& cache, Journal& journal, const StudyFiles& files,
                               SearchObserver& observer) {
  const Stretch stretch{twin.anchor.readings.back().batches, total, kExtensionRate};
  BITPILOT_CHECK(training.trains() && stretch.begin < stretch.end);
  Result<AnchorEvent> extended_twin = journal.Observe<AnchorEvent>(
      [&]() -> Result<AnchorEvent> {
        Result<TwinLosses> losses = LossesOf(twin, files);
        if (!losses.ok()) return losses.status();
        TwinSoFar so_far{
            {{twin.sha256, twin.file}, stretch.begin}, twin.anchor, std::move(*losses)};
        so_far.anchor.of_first_budget = OfFirstBudget(twin.anchor);
        observer.OnPhase("training uniform 8 bit alone as much longer, to compare with",
                         kTwinReadings);
        // The state that it goes on from is of no other twin.
        return Twin(stretch, problem, training, cache, journal, files, observer)
            .Train(TwinKey(config, total, twin.sha256), std::move(so_far));
      },
      [&](const AnchorEvent& logged) { return Recompute(logged, twin, stretch); });
  if (extended_twin.ok() && journal.recording()) TwinCache::OfStudy(files).Forget();
  return extended_twin;
}

Result<TwinLosses> LossesOf(const AnchorEvent& twin, const StudyFiles& files) {
  if (twin.losses_sha256.empty()) return TwinLosses();
  const Result<std::string> bytes = files.Get({twin.losses_sha256, twin.losses_file});
  if (!bytes.ok()) return bytes.status();
  Result<TwinLosses> losses = TwinLosses::Parse(*bytes);
  if (!losses.ok()) return losses.status().WithContext(twin.losses_file);
  if (losses->AreOf(twin.anchor)) return losses;
  return DataCorrupt(twin.losses_file +
                     ": expected the twin's losses on every image at the readings that the log "
                     "has, got those of other readings");
}

}  // namespace bitpilot
