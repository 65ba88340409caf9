// A topology run by our kernels, started from a float32 image as the peers are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/topology.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

class OwnNetwork {
 public:
  // bits: uniform widths, "w8a8". Random weights. Ends the program with a message where `bits` is
  // wrong or the CPU lacks `isa`.   pool: threads that share an inference, or null.
  OwnNetwork(const Topology& topology, const std::string& bits, Isa isa, ThreadPool* pool);

  // float32 [C, H, W], values in [0, 255].
  std::vector<float>& image() { return image_; }
  void Run();

 private:
  std::vector<float> image_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> logits_;
  CompiledNetwork network_;
};

}  // namespace bitpilot
