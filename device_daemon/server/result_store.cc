#include "device_daemon/server/result_store.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "kernels/base/atomic_file.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".result";

std::string HashOf(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return ToHex(hash.Finish());
}

// A file is the SHA-256 of the rest, a line break, and a KeptResult.
std::optional<v1::KeptResult> ReadKept(const fs::path& path) {
  const Result<std::string> text = ReadFile(path.string());
  if (!text.ok()) return std::nullopt;
  const std::size_t end = text->find('\n');
  if (end == std::string::npos) return std::nullopt;
  const std::string bytes = text->substr(end + 1);
  v1::KeptResult kept;
  if (HashOf(bytes) != text->substr(0, end) || !kept.ParseFromString(bytes)) return std::nullopt;
  Message message;
  *message.envelope.mutable_measure_result() = kept.result();
  const bool is_its_own =
      path.filename() == BytesToHex(kept.result().measure_id()) + std::string(kSuffix);
  if (!is_its_own || !ValidateReply(message).ok()) return std::nullopt;
  return kept;
}

}  // namespace

std::string ResultStore::PathOf(const std::string& measure_id) const {
  return folder_ + "/" + BytesToHex(measure_id) + kSuffix;
}

std::vector<v1::KeptResult> ResultStore::Load(std::vector<std::string>& problems) const {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    files.emplace_back(it->last_write_time(ignored), it->path());
  }
  std::sort(files.begin(), files.end());
  std::vector<v1::KeptResult> results;
  for (const auto& [time, path] : files) {
    std::optional<v1::KeptResult> kept = ReadKept(path);
    if (kept) {
      results.push_back(std::move(*kept));
      continue;
    }
    problems.push_back(path.string() + " is no result, or damaged; removed");
    std::error_code ignored;
    fs::remove(path, ignored);
  }
  return results;
}

Status ResultStore::Store(const std::string& measure_id, const v1::KeptResult& kept) const {
  BITPILOT_RETURN_IF_ERROR(MakeFolderDurably(folder_, 0700));
  const std::string bytes = kept.SerializeAsString();
  return WriteFileAtomically(PathOf(measure_id), HashOf(bytes) + "\n" + bytes, 0600);
}

void ResultStore::Drop(const std::string& measure_id) const {
  std::error_code ignored;
  fs::remove(PathOf(measure_id), ignored);
}

}  // namespace bitpilot
