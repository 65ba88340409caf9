#include "agent/session/twin_cache.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "agent/session/agent_build.h"
#include "agent/session/cpu_class.h"
#include "agent/study/events.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/file_io.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/sha256.h"

namespace bitpilot {

TwinCache TwinCache::OfUser() {
  const std::string folder = CacheFolder();
  return TwinCache(folder.empty() ? std::string() : folder + "/twins");
}

std::optional<CachedTwin> TwinCache::Find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const Result<std::string> text = ReadFile(folder_ + "/" + key + ".json");
  if (!text.ok()) return std::nullopt;
  const Result<AnchorEvent> entry = ParseEvent<AnchorEvent>(*text);
  if (!entry.ok() || entry->anchor.readings.empty()) return std::nullopt;
  Result<std::string> state = ReadFile(folder_ + "/" + key + ".ckpt");
  if (!state.ok() || Sha256Hex(*state) != entry->sha256) return std::nullopt;
  return CachedTwin{entry->anchor.readings, std::move(*state)};
}

void TwinCache::Keep(const std::string& key, const CachedTwin& twin) const {
  if (folder_.empty() || !MakeFolderDurably(folder_, 0700).ok()) return;
  // The state first: until the readings are there, too, it is the state of none.
  const std::string stem = folder_ + "/" + key;
  if (!WriteFileAtomically(stem + ".ckpt", twin.state).ok()) return;
  const AnchorEvent entry{{twin.readings}, Sha256Hex(twin.state), key + ".ckpt"};
  (void)WriteFileAtomically(stem + ".json", ToJson(entry));
}

std::string TwinKey(const SearchConfig& config, const std::string& start_sha256) {
  const nlohmann::json parts = {{"agent", AgentBuild()},
                                {"cpu_class", CpuClass()},
                                {"model", config.model},
                                {"weights", config.weights_sha256},
                                {"images", config.data_sha256},
                                {"start", start_sha256},
                                {"mini_batches", config.train_batches * config.measurements},
                                {"batch_size", config.batch_size},
                                {"learning_rate", config.learning_rate},
                                {"distill", config.distill},
                                {"teacher", config.teacher_sha256},
                                {"seed", config.seed}};
  return Sha256Hex(parts.dump());
}

}  // namespace bitpilot
