#include "agent/cli/train_checkpoint.h"

#include <cstdint>

#include "agent/study/search_config.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr std::string_view kFirstLine = "bitpilot-train ";
constexpr std::string_view kHead = "bitpilot-train 1\nthreads ";

}  // namespace

std::string FormatTrainCheckpoint(int threads, std::string_view state) {
  return std::string(kHead) + std::to_string(threads) + "\n" + std::string(state);
}

Result<TrainCheckpoint> ParseTrainCheckpoint(std::string_view bytes) {
  if (!bytes.starts_with(kFirstLine)) return TrainCheckpoint{std::nullopt, std::string(bytes)};
  const std::size_t end = bytes.find('\n', kHead.size());
  if (!bytes.starts_with(kHead) || end == std::string_view::npos) {
    return DataCorrupt("expected a checkpoint of bitpilot train that begins with \"" +
                       std::string(kHead.substr(0, kHead.find('\n'))) + "\" and \"threads N\"");
  }
  const Result<std::int64_t> threads = ParseNumber<std::int64_t>(
      bytes.substr(kHead.size(), end - kHead.size()), 1, kMaxTrainThreads);
  if (!threads.ok()) return threads.status().WithContext("threads").AsCorruptInput();
  return TrainCheckpoint{static_cast<int>(*threads), std::string(bytes.substr(end + 1))};
}

}  // namespace bitpilot
