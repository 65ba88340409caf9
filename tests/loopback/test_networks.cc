#include "tests/loopback/test_networks.h"

#include <algorithm>
#include <random>
#include <span>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/reference.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {

Network SmallNetwork(std::uint64_t seed) {
  Topology topology;
  topology.name = "small";
  topology.input = {8, 8, 3};
  Operation conv = MakeOperation(OperationKind::kConvolution, "conv", 0, 8);
  conv.kernel_h = 3;
  conv.kernel_w = 3;
  conv.activation = Activation::kRelu;
  topology.operations = {conv, MakeOperation(OperationKind::kFullyConnected, "dense", 1, 10)};
  return RandomNetwork(topology, UniformAssignment(topology, 4, 4, /*search_ends=*/true), seed);
}

Network LargeImageNetwork(std::uint64_t seed) {
  Topology topology;
  topology.name = "large-image";
  topology.input = {640, 640, 3};
  Operation conv = MakeOperation(OperationKind::kConvolution, "conv", 0, 8);
  conv.kernel_h = conv.kernel_w = 3;
  conv.stride_h = conv.stride_w = 8;
  conv.activation = Activation::kRelu;
  Operation again = conv;
  again.name = "again";
  again.input = 1;
  topology.operations = {conv, again,
                         MakeOperation(OperationKind::kFullyConnected, "dense", 2, 10)};
  return RandomNetwork(topology, UniformAssignment(topology, 8, 8), seed);
}

Network LargeNetwork(int megabytes, std::uint64_t seed) {
  Topology topology;
  topology.name = "large";
  topology.input = {64, 64, 3};
  const int depth = 64 * 64 * 3;
  topology.operations = {
      MakeOperation(OperationKind::kFullyConnected, "dense", 0, megabytes * 1'000'000 / depth)};
  return RandomNetwork(topology, UniformAssignment(topology, 8, 8), seed);
}

std::vector<std::uint8_t> RandomImages(const Network& network, int num_images, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> images(static_cast<std::size_t>(num_images * network.input_bytes()));
  std::generate(images.begin(), images.end(),
                [&random] { return static_cast<std::uint8_t>(random() >> 56); });
  return images;
}

std::vector<std::vector<float>> ReferenceLogits(const Network& network,
                                                const std::vector<std::uint8_t>& images) {
  const auto image_bytes = static_cast<std::size_t>(network.input_bytes());
  std::vector<std::vector<float>> logits;
  for (std::size_t at = 0; at < images.size(); at += image_bytes) {
    logits.push_back(RunReference(network, std::span(images).subspan(at, image_bytes)));
  }
  return logits;
}

RunningDaemon StartDaemon(const AgentKeys& agent, const std::string& isa) {
  Result<std::string> program = FindDaemonProgram();
  BITPILOT_CHECK(program.ok());
  LocalDaemonOptions options;
  options.program = *program;
  options.isa = isa;
  Result<std::unique_ptr<LocalDaemon>> daemon = LocalDaemon::Create(options, agent.public_key);
  BITPILOT_CHECK(daemon.ok());
  Result<BoardAddress> address = (*daemon)->Address();
  BITPILOT_CHECK(address.ok());
  return {std::move(daemon).value(), std::move(address).value()};
}

BoardOptions ShortWaits() {
  BoardOptions options;
  options.connect_timeout = std::chrono::milliseconds(4000);
  options.reconnect_timeout = std::chrono::milliseconds(1500);
  return options;
}

}  // namespace bitpilot
