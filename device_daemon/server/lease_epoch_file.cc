#include "device_daemon/server/lease_epoch_file.h"

#include <charconv>
#include <system_error>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

std::string EpochPath(const std::string& store_folder) { return store_folder + "/lease_epoch"; }

}  // namespace

Result<std::uint64_t> ReadLeaseEpoch(const std::string& store_folder) {
  const std::string path = EpochPath(store_folder);
  const Result<std::string> text = ReadFile(path);
  if (!text.ok() && text.status().code() == StatusCode::kNotFound) return std::uint64_t{0};
  if (!text.ok()) return text.status();
  std::uint64_t epoch = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, epoch);
  if (error != std::errc() || std::string_view(rest, end) != "\n") {
    return DataCorrupt(path + ": expected a number, the highest lease epoch granted so far");
  }
  return epoch;
}

Status WriteLeaseEpoch(const std::string& store_folder, std::uint64_t epoch) {
  return WriteFileAtomically(EpochPath(store_folder), std::to_string(epoch) + "\n");
}

}  // namespace bitpilot
