#include "device_daemon/server/drain_file.h"

#include <algorithm>

#include "kernels/base/file_io.h"
#include "kernels/base/utf8.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

// An empty file: a board that was never drained, or is not any more, keeps none or this one.
std::string DrainPath(const std::string& store_folder) { return store_folder + "/drained"; }

}  // namespace

Result<std::optional<std::string>> ReadDrain(const std::string& store_folder) {
  const Result<std::string> text = ReadFile(DrainPath(store_folder));
  if (!text.ok() && text.status().code() != StatusCode::kNotFound) return text.status();
  if (!text.ok() || text->empty()) return std::optional<std::string>();
  return std::optional<std::string>(
      ToUtf8(text->substr(0, std::min(text->find('\n'), kMaxNameBytes))));
}

Status WriteDrain(const std::string& store_folder, const std::optional<std::string>& reason) {
  return WriteFileAtomically(DrainPath(store_folder), reason ? *reason + "\n" : "");
}

}  // namespace bitpilot
