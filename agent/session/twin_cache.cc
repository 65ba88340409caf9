#include "agent/session/twin_cache.h"

#include <string_view>
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
  const Result<std::string> entry = ReadFile(PathOf(key));
  if (!entry.ok()) return std::nullopt;
  const std::size_t hash_end = entry->find('\n');
  if (hash_end == std::string::npos) return std::nullopt;
  const std::string_view rest = std::string_view(*entry).substr(hash_end + 1);
  const std::size_t readings_end = rest.find('\n');
  if (readings_end == std::string_view::npos ||
      Sha256Hex(rest) != std::string_view(*entry).substr(0, hash_end)) {
    return std::nullopt;
  }
  Result<AnchorEvent> readings = ParseEvent<AnchorEvent>(rest.substr(0, readings_end));
  if (!readings.ok() || readings->anchor.readings.empty()) return std::nullopt;
  return CachedTwin{std::move(readings->anchor.readings),
                    std::string(rest.substr(readings_end + 1))};
}

// One file: readings and state are of each other, whoever writes at the same time or dies meanwhile.
void TwinCache::Keep(const std::string& key, const CachedTwin& twin) const {
  if (folder_.empty() || !MakeFolderDurably(folder_, 0700).ok()) return;
  const std::string rest = ToJson(AnchorEvent{{twin.readings}, "", ""}) + '\n' + twin.state;
  (void)WriteFileAtomically(PathOf(key), Sha256Hex(rest) + '\n' + rest);
}

std::string TwinCache::PathOf(const std::string& key) const {
  return folder_ + "/" + key + ".twin";
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
                                {"threads", config.train_threads.value_or(1)},
                                {"seed", config.seed}};
  return Sha256Hex(parts.dump());
}

}  // namespace bitpilot
