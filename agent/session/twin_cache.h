// TwinCache: twins (agent/session/twin.h) that were trained before, in a folder of the user's cache.
//
//   $XDG_CACHE_HOME/bitpilot/twins/<key>.twin    SHA-256 of the rest, the readings so far as JSON, and
//                                                the size of what is next, a line each; the losses
//                                                (agent/session/twin_losses.h); the state after the last
//
// A cache may be lost, shared or damaged at any time: what does not fit its hash is no entry, and what
// cannot be written is not kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/session/twin_losses.h"
#include "agent/study/search_config.h"
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
  // folder: made when something is kept. Empty: nothing is.
  explicit TwinCache(std::string folder) : folder_(std::move(folder)) {}

  std::optional<CachedTwin> Find(const std::string& key) const;
  void Keep(const std::string& key, const CachedTwin& twin) const;

 private:
  std::string PathOf(const std::string& key) const;

  std::string folder_;
};

// Everything that the twin's training depends on: model, weights, images, schedule, CPU class, agent,
// and `start`, the hash of the state that it begins from.
std::string TwinKey(const SearchConfig& config, const std::string& start_sha256);

}  // namespace bitpilot
