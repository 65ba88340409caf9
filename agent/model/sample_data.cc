#include "agent/model/sample_data.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

constexpr std::string_view kShippedModel = "resnet8";

std::vector<std::filesystem::path> Candidates() {
  const char* chosen = std::getenv("BITPILOT_DATA_DIR");
  if (chosen != nullptr && *chosen != '\0') return {chosen};
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(program.parent_path().parent_path() / "share/bitpilot/data");
  folders.emplace_back(BITPILOT_SAMPLE_DATA_DIR);
  return folders;
}

std::filesystem::path WeightsIn(const std::filesystem::path& folder) {
  return folder / (std::string(kShippedModel) + ".safetensors");
}

}  // namespace

Result<std::string> SampleDataFolder() {
  const std::vector<std::filesystem::path> candidates = Candidates();
  for (const std::filesystem::path& folder : candidates) {
    std::error_code error;
    if (std::filesystem::exists(WeightsIn(folder), error)) return folder.string();
  }
  return Status(StatusCode::kNotFound,
                "the shipped sample (resnet8.safetensors, cifar10_*.bin.xz) is not in " +
                    Joined(candidates, [](const auto& folder) { return folder.string(); }) +
                    "; set BITPILOT_DATA_DIR to its folder");
}

Result<std::string> ShippedWeightsFile(std::string_view model) {
  if (model != kShippedModel) {
    return InvalidArgument(
        "weights are shipped only for resnet8; give --weights FILE.safetensors for " +
        std::string(model));
  }
  const Result<std::string> folder = SampleDataFolder();
  if (!folder.ok()) return folder.status();
  return WeightsIn(*folder).string();
}

}  // namespace bitpilot
