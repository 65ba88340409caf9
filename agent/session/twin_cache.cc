#include "agent/session/twin_cache.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>
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
namespace {

// Up to the end of the line, which is taken away with it; all where there is none.
std::string_view TakeLine(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

std::optional<std::size_t> ParseSize(std::string_view text) {
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return size;
}

}  // namespace

TwinCache TwinCache::OfUser() {
  const std::string folder = CacheFolder();
  return TwinCache(folder.empty() ? std::string() : folder + "/twins");
}

TwinCache TwinCache::OfStudy(const StudyFiles& files) {
  return TwinCache(files.folder() + "/unfinished");
}

std::optional<CachedTwin> TwinCache::Find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const Result<std::string> entry = ReadFile(PathOf(key));
  if (!entry.ok()) return std::nullopt;
  std::string_view rest = *entry;
  const std::string_view hash = TakeLine(rest);
  if (Sha256Hex(rest) != hash) return std::nullopt;
  Result<AnchorEvent> readings = ParseEvent<AnchorEvent>(TakeLine(rest));
  const std::optional<std::size_t> size = ParseSize(TakeLine(rest));
  if (!readings.ok() || readings->anchor.readings.empty() || !size || *size > rest.size()) {
    return std::nullopt;
  }
  Result<TwinLosses> losses = TwinLosses::Parse(rest.substr(0, *size));
  if (!losses.ok() || !losses->AreOf(readings->anchor)) return std::nullopt;
  return CachedTwin{std::move(readings->anchor.readings), std::move(*losses),
                    std::string(rest.substr(*size))};
}

// One file: readings and state are of each other, whoever writes at the same time or dies meanwhile.
void TwinCache::Keep(const std::string& key, const CachedTwin& twin) const {
  if (folder_.empty() || !MakeFolderDurably(folder_, 0700).ok()) return;
  const std::string losses = twin.losses.Serialize();
  AnchorEvent readings;
  readings.anchor.readings = twin.readings;
  const std::string rest =
      ToJson(readings) + '\n' + std::to_string(losses.size()) + '\n' + losses + twin.state;
  (void)WriteFileAtomically(PathOf(key), Sha256Hex(rest) + '\n' + rest);
}

void TwinCache::Forget() const {
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string TwinCache::PathOf(const std::string& key) const {
  return folder_ + "/" + key + ".twin";
}

std::string TwinKey(const SearchConfig& config, int mini_batches, const std::string& start_sha256) {
  const nlohmann::json parts = {{"agent", AgentBuild()},
                                {"cpu_class", CpuClass()},
                                {"model", config.model},
                                {"weights", config.weights_sha256},
                                {"images", config.data_sha256},
                                {"start", start_sha256},
                                {"mini_batches", mini_batches},
                                {"batch_size", config.batch_size},
                                {"learning_rate", config.learning_rate},
                                {"distill", config.distill},
                                {"teacher", config.teacher_sha256},
                                {"threads", config.train_threads.value_or(1)},
                                {"seed", config.seed}};
  return Sha256Hex(parts.dump());
}

}  // namespace bitpilot
