#include "experiments/peers/own_network.h"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "kernels/base/network.h"

namespace bitpilot {
namespace {

CompiledNetwork Compile(const Topology& topology, const std::string& bits, Isa isa,
                        ThreadPool* pool) {
  int weight_bits = 0;
  int activation_bits = 0;
  if (std::sscanf(bits.c_str(), "w%1da%1d", &weight_bits, &activation_bits) != 2 ||
      weight_bits < 1 || weight_bits > 8 || activation_bits < 1 || activation_bits > 8) {
    std::fprintf(stderr, "expected widths w1a1 ... w8a8, got \"%s\"\n", bits.c_str());
    std::exit(2);
  }
  const BitAssignment assignment = UniformAssignment(topology, weight_bits, activation_bits);
  Result<CompiledNetwork> network = CompiledNetwork::Create(
      RandomNetwork(topology, assignment, /*seed=*/1), {.isa = isa, .pool = pool});
  if (!network.ok()) {
    std::fprintf(stderr, "%s\n", network.status().message().c_str());
    std::exit(1);
  }
  return std::move(network).value();
}

// Vectorized, as the peers' conversion of a float image is: else it would take longer than a small
// network.
[[gnu::optimize("O3"), gnu::target_clones("avx2", "default")]] void RoundPixels(
    const float* image, std::size_t count, std::uint8_t* pixels) {
  for (std::size_t i = 0; i < count; ++i) {
    pixels[i] = static_cast<std::uint8_t>(static_cast<int>(image[i] + 0.5F));
  }
}

}  // namespace

OwnNetwork::OwnNetwork(const Topology& topology, const std::string& bits, Isa isa, ThreadPool* pool)
    : image_(static_cast<std::size_t>(topology.input.elements())),
      pixels_(image_.size()),
      logits_(static_cast<std::size_t>(topology.operations.back().out_channels)),
      network_(Compile(topology, bits, isa, pool)) {}

void OwnNetwork::Run() {
  RoundPixels(image_.data(), image_.size(), pixels_.data());
  network_.Run(pixels_, logits_);
}

}  // namespace bitpilot
