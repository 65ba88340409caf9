// Small random networks, their files and their golden outputs.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/network_file.h"
#include "kernels/base/sha256.h"
#include "kernels/base/standard_networks.h"
#include "kernels/reference.h"

namespace bitpilot {

struct TestNetwork {
  Network network;
  std::string file;    // As serialized.
  std::string sha256;  // Of the file, 32 bytes.
};

inline TestNetwork MakeTestNetwork(int weight_bits, std::uint64_t seed,
                                   const std::string& name = "resnet8") {
  const Topology topology = *StandardTopology(name);
  TestNetwork made;
  made.network =
      RandomNetwork(topology, UniformAssignment(topology, weight_bits, weight_bits), seed);
  made.file = SerializeNetwork(made.network);
  const Sha256Digest digest = ComputeSha256(made.file);
  made.sha256.assign(digest.begin(), digest.end());
  return made;
}

inline std::string RandomPixels(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string pixels(size, '\0');
  for (char& pixel : pixels) pixel = static_cast<char>(random());
  return pixels;
}

// float32 logits of one image, as bytes.
inline std::string GoldenLogits(const Network& network, const std::string& pixels) {
  const std::vector<std::uint8_t> image(pixels.begin(), pixels.end());
  const std::vector<float> logits = RunReference(network, image);
  return {reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float)};
}

}  // namespace bitpilot
