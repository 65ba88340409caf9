// Post-training quantization in one pass over the calibration images: operation by operation, it
// measures batch norm anew, chooses the step size of each output, quantizes, and goes on with what
// the quantized network really computes.
//
// Batch-norm statistics of a few hundred images are noisy. The float network's statistics on the
// same images are known too, so only the *change* that quantization makes is taken over:
//
//   mean     = running mean + (batch mean quantized - batch mean float)
//   variance = running variance * batch variance quantized / batch variance float
//
// with the running statistics of the float network as it was loaded.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "agent/qat/layer_tensors.h"
#include "agent/qat/operation_runner.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// [layers][O], [] where a layer has no batch norm.
using LayerStatistics = std::vector<std::vector<ChannelStatistics>>;

// The float network on the calibration images.
struct FloatReference {
  LayerStatistics running;  // of the float network, as loaded
  LayerStatistics batch;    // of its layers' outputs on the calibration images
  at::Tensor logits;        // [N, classes]
};

// images: [N, C, H, W] as the float network reads them.
FloatReference MeasureFloatReference(const Topology& topology,
                                     const std::vector<LayerTensors>& float_layers,
                                     const LayerStatistics& running, const at::Tensor& images);

// Weights as the network at `bits` uses them.
at::Tensor QuantizedWeights(const LayerTensors& layer, const LayerState& state,
                            const std::vector<int>& bits);

// Statistics of each channel at its own width, [O]; [] without batch norm.
std::vector<ChannelStatistics> ActiveStatistics(const LayerState& state,
                                                const std::vector<int>& bits);

// Hooks for RunOperations(): calibrates what it runs. Each tensor's step size is chosen at the
// assignment's width, and at every width that has none yet.
//
// REQUIRES: PrepareLayer() was called for every layer at `assignment`. All references outlive the
// object.
class Calibrator : public OperationHooks {
 public:
  Calibrator(const Topology& topology, const std::vector<LayerTensors>& layers,
             const FloatReference& reference, const BitAssignment& assignment,
             bool input_non_negative, StateBank& bank);

  at::Tensor RunLayer(int operation, const at::Tensor& input) override;
  at::Tensor Store(int tensor, at::Tensor value) override;

 private:
  const Topology& topology_;
  const std::vector<LayerTensors>& layers_;
  const FloatReference& reference_;
  const BitAssignment& assignment_;
  bool input_non_negative_;
  StateBank& bank_;
  std::vector<int> layer_of_operation_;  // -1 without weights
};

// Layer index of each operation, -1 where it has no weights.
std::vector<int> LayerIndices(const Topology& topology);

}  // namespace bitpilot
