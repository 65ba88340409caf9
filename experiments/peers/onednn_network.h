// A topology run by oneDNN in 8 bits, as its users would build it: the peer of our kernels in
// benchmarks.
//
// uint8 activations, int8 weights, per-channel scales, ReLU and residual additions fused into the
// convolutions, formats chosen by the library. Random weights: only the time is of interest.
#pragma once

#include <dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/base/topology.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

// The library's instruction set that has what `isa` has.
dnnl::cpu_isa OneDnnIsa(Isa isa);

class OneDnnNetwork {
 public:
  // REQUIRES: ValidateTopology(topology).ok(); no kAdd or kSubsample; each residual last read by
  // the operation that adds it. Throws dnnl::error.
  explicit OneDnnNetwork(const Topology& topology);

  // The float32 image [H, W, C] that Run() starts from.
  float* image() { return static_cast<float*>(image_.get_data_handle()); }
  void Run();

 private:
  using Arguments = std::unordered_map<int, dnnl::memory>;

  void AddReorder(const dnnl::memory& from, const dnnl::memory& to);
  void AddConvolution(const Operation& operation, const TensorShape& input,
                      const TensorShape& output);
  void AddPool(const Operation& operation, const TensorShape& output, dnnl::algorithm algorithm);
  void AddFullyConnected(const Operation& operation, const TensorShape& input);
  dnnl::memory MakeWeights(const dnnl::memory::desc& description);

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::memory image_;
  std::vector<dnnl::memory> tensors_;
  std::vector<std::pair<dnnl::primitive, Arguments>> steps_;
};

}  // namespace bitpilot
