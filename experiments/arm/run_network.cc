// Runs a standard network of random weights so many times, by the table's kernels: the same plan on every machine.
//
//   usage: run_network NETWORK BITS INFERENCES ISA      e.g. run_network resnet20 w8a8 2 neon
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/compiled_network.h"

namespace {

int Fail(const bitpilot::Status& status) {
  std::fprintf(stderr, "run_network: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  int weight_bits = 0;
  int activation_bits = 0;
  if (argc != 5 || std::sscanf(argv[2], "w%1da%1d", &weight_bits, &activation_bits) != 2) {
    std::fprintf(stderr,
                 "usage: run_network NETWORK BITS INFERENCES ISA, e.g. resnet20 w8a8 2 neon\n");
    return 2;
  }
  const auto topology = bitpilot::StandardTopology(argv[1]);
  if (!topology.ok()) return Fail(topology.status());
  const auto isa = bitpilot::ParseIsa(argv[4]);
  if (!isa.ok()) return Fail(isa.status());
  const bitpilot::Network network = bitpilot::RandomNetwork(
      *topology, bitpilot::UniformAssignment(*topology, weight_bits, activation_bits), /*seed=*/1);
  auto compiled = bitpilot::CompiledNetwork::Create(network, {.isa = *isa});
  if (!compiled.ok()) return Fail(compiled.status());
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()));
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i * 2'654'435'761U >> 13);
  }
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  for (int left = std::atoi(argv[3]); left > 0; --left) compiled->Run(pixels, logits);
  for (const float logit : logits) std::printf("%a ", static_cast<double>(logit));
  std::printf("\n");
}
