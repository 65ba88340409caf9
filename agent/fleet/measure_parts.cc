#include "agent/fleet/measure_parts.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "kernels/base/network_file.h"

namespace bitpilot {
namespace {

// The worker itself, with its canary.
constexpr std::uint64_t kWorkerBytes = std::uint64_t{32} << 20;
// A network is held as it was read (a byte a weight) and packed for a kernel, which pads.
constexpr std::uint64_t kBytesPerWeight = 3;
constexpr std::uint64_t kBytesPerActivation = 2;

struct Size {
  std::uint64_t file_bytes = 0;
  std::uint64_t memory_bytes = 0;
};

Size SizeOf(const Network& network) {
  std::uint64_t weights = 0;
  for (const int operation : LayerOperations(network.topology)) {
    weights += static_cast<std::uint64_t>(WeightDepth(network.topology, operation)) *
               static_cast<std::uint64_t>(
                   network.topology.operations[static_cast<std::size_t>(operation)].out_channels);
  }
  std::uint64_t activations = 0;
  for (const TensorShape& shape : TensorShapes(network.topology)) {
    activations += static_cast<std::uint64_t>(shape.elements());
  }
  return {SerializeNetwork(network).size(),
          kBytesPerWeight * weights + kBytesPerActivation * activations};
}

bool Fits(const Size& sum, std::size_t num_networks, const BoardLimits& limits) {
  return num_networks <= static_cast<std::size_t>(limits.max_networks) &&
         (limits.store_bytes == 0 || sum.file_bytes <= limits.store_bytes) &&
         (limits.worker_memory_bytes == 0 ||
          kWorkerBytes + sum.memory_bytes <= limits.worker_memory_bytes);
}

}  // namespace

std::vector<std::vector<const Network*>> PartsThatFit(const std::vector<const Network*>& networks,
                                                      const BoardLimits& limits) {
  std::vector<Size> sizes;
  for (const Network* network : networks) sizes.push_back(SizeOf(*network));
  const std::size_t members = networks.size() - 1;
  for (std::size_t num_parts = 1;; ++num_parts) {
    std::vector<std::vector<const Network*>> parts;
    bool all_fit = true;
    for (std::size_t part = 0; part < num_parts; ++part) {
      std::vector<const Network*> chosen{networks.front()};
      Size sum = sizes.front();
      for (std::size_t i = part * members / num_parts; i < (part + 1) * members / num_parts; ++i) {
        chosen.push_back(networks[i + 1]);
        sum.file_bytes += sizes[i + 1].file_bytes;
        sum.memory_bytes += sizes[i + 1].memory_bytes;
      }
      all_fit = all_fit && Fits(sum, chosen.size(), limits);
      parts.push_back(std::move(chosen));
    }
    if (all_fit || num_parts >= members) return parts;
  }
}

}  // namespace bitpilot
