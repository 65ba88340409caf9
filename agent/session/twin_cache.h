// TwinCache: twins (agent/session/twin.h) that were trained before, in a folder of the user's cache; or
// the one that a study has not ended, beside that.
//
//   $XDG_CACHE_HOME/bitpilot/twins/<key>.twin    SHA-256 of the rest, the readings so far as JSON, and
//                                                the size of what is next, a line each; the losses
//                                                (agent/session/twin_losses.h); the state after the last
//   <study>.files/unfinished/<key>.twin          the same, until the study's log has the twin
//
// A cache may be lost, shared or damaged at any time: what does not fit its hash is no entry, and what
// cannot be written is not kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/session/twin_losses.h"
#include "agent/study/search_config.h"
#include "agent/study/study_files.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct CachedTwin {
  std::vector<AnchorReading> readings;  // the first ones, at least one
  TwinLosses losses;                    // of these readings
  std::string state;                    // QuantizedModel::SaveCheckpoint() after the last
};

class TwinCache {
 public:
  // Of the user; without a home folder nothing is kept.
  static TwinCache OfUser();
  // Of a study, which must go on where the user's cache is gone, or another one.
  static TwinCache OfStudy(const StudyFiles& files);
  // folder: made when something is kept. Empty: nothing is.
  explicit TwinCache(std::string folder) : folder_(std::move(folder)) {}

  std::optional<CachedTwin> Find(const std::string& key) const;
  void Keep(const std::string& key, const CachedTwin& twin) const;
  // Removes the folder and all that it holds.
  void Forget() const;

 private:
  std::string PathOf(const std::string& key) const;

  std::string folder_;
};

// Everything that the twin's training depends on: model, weights, images, schedule, CPU class, agent,
// and `start_sha256`, the hash of the state that it begins from.
//
// mini_batches: with which it will have trained in all.
std::string TwinKey(const SearchConfig& config, int mini_batches, const std::string& start_sha256);

}  // namespace bitpilot
