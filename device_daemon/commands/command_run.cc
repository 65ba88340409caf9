#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/commands.h"
#include "kernels/base/file_io.h"
#include "kernels/base/network_file.h"
#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

constexpr std::size_t kCifar10LabelBytes = 1;

void PrintImage(std::size_t image, std::span<const float> logits, bool json) {
  const auto best = static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
  if (json) {
    nlohmann::ordered_json line{{"type", "image"}, {"image", image}, {"class", best}};
    line["logits"] = std::vector<float>(logits.begin(), logits.end());
    PrintJson(line);
    return;
  }
  std::printf("image %zu: class %zu, logits", image, best);
  for (const float logit : logits) std::printf(" %.6g", static_cast<double>(logit));
  std::printf("\n");
}

Status CheckInputSize(const RunOptions& options, std::size_t bytes, std::size_t record_bytes) {
  if (bytes != 0 && bytes % record_bytes == 0) return {};
  return DataCorrupt(options.input_path + ": " + options.network_path + " takes " +
                     std::to_string(record_bytes) + " bytes " +
                     (options.cifar10 ? "a record (label, pixels)" : "an image [C, H, W]") +
                     ", the file has " + std::to_string(bytes));
}

Status RunImages(const RunOptions& options) {
  const Result<Isa> isa = ChooseIsa(options.isa);
  if (!isa.ok()) return isa.status().WithContext("--isa");
  // Nothing is timed: without the flag, the system chooses.
  if (!options.cpu.empty()) BITPILOT_RETURN_IF_ERROR(PinToChosenCore(options.cpu).status());
  const Result<Network> network = ReadNetworkFile(options.network_path);
  if (!network.ok()) return network.status().AsCorruptInput();
  const Result<std::string> input = ReadFile(options.input_path);
  if (!input.ok()) return input.status().AsCorruptInput();
  const std::size_t skip = options.cifar10 ? kCifar10LabelBytes : 0;
  const auto image_bytes = static_cast<std::size_t>(network->input_bytes());
  const std::size_t record_bytes = skip + image_bytes;
  BITPILOT_RETURN_IF_ERROR(CheckInputSize(options, input->size(), record_bytes));
  Result<CompiledNetwork> compiled = CompiledNetwork::Create(*network, {.isa = *isa});
  if (!compiled.ok()) return compiled.status();
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(input->data()),
                                            input->size());
  std::vector<float> logits(static_cast<std::size_t>(network->num_classes()));
  const std::size_t num_images = input->size() / record_bytes;
  for (std::size_t i = 0; i < num_images; ++i) {
    compiled->Run(bytes.subspan(i * record_bytes + skip, image_bytes), logits);
    PrintImage(i, logits, options.json);
  }
  if (options.json) {
    const nlohmann::ordered_json line{
        {"type", "result"}, {"images", num_images}, {"isa", std::string(ToString(*isa))}};
    PrintJson(line);
  }
  return {};
}

}  // namespace

int RunNetwork(const RunOptions& options) {
  const Status status = RunImages(options);
  return status.ok() ? 0 : ReportFailure(status, options.json);
}

}  // namespace bitpilot
