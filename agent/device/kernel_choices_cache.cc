#include "agent/device/kernel_choices_cache.h"

#include <filesystem>
#include <system_error>

#include "kernels/base/file_io.h"
#include "kernels/base/home_folder.h"
#include "kernels/runtime/kernel_choices.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

void CopyWhole(const std::string& from, const std::string& to) {
  const Result<std::string> text = ReadFile(from);
  if (!text.ok()) return;
  std::error_code error;
  fs::create_directories(fs::path(to).parent_path(), error);
  // A failure means that kernels are timed again.
  if (!error) static_cast<void>(WriteFileAtomically(to, *text));
}

std::string PathIn(const std::string& store_folder) {
  return store_folder + "/" + kWorkerFolder + "/" + kKernelChoicesFile;
}

}  // namespace

std::string KernelChoicesCachePath() {
  const std::string folder = CacheFolder();
  return folder.empty() ? "" : folder + "/" + kKernelChoicesFile;
}

void RestoreKernelChoices(const std::string& store_folder) {
  const std::string cache = KernelChoicesCachePath();
  if (!cache.empty()) CopyWhole(cache, PathIn(store_folder));
}

void KeepKernelChoices(const std::string& store_folder) {
  const std::string cache = KernelChoicesCachePath();
  if (!cache.empty()) CopyWhole(PathIn(store_folder), cache);
}

}  // namespace bitpilot
