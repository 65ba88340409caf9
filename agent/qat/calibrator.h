// One pass over a set of images that estimates what inference needs beside weights: operation by
// operation, it measures batch norm, chooses the step size of each output that training has not
// learned, quantizes, and goes on with what the quantized network really computes.
//
// Weights that were trained on get the statistics of these images, plainly. Those of a few hundred
// images are noisy. While the weights are those of a float network as it was loaded, that network's
// statistics on the same images are known too, so only the *change* that quantization makes is
// taken over:
//
//   mean     = running mean + (batch mean quantized - batch mean float)
//   variance = running variance * batch variance quantized / batch variance float
//
// with the running statistics of the float network.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <vector>

#include "agent/qat/channel_affine.h"
#include "agent/qat/layer_tensors.h"
#include "agent/qat/operation_runner.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/topology.h"

namespace bitpilot {

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

// What inference needs beside weights and their step sizes.
struct Estimates {
  LayerStatistics statistics;
  std::vector<StoredQuantizer> quantizers;  // [num_stored_tensors]; the input's is unused
};

// Weights as the network at `bits` uses them.
at::Tensor QuantizedWeights(const LayerTensors& layer, const LayerState& state,
                            const std::vector<int>& bits);

// Hooks for RunOperations(): calibrates what it runs. `bank` gets the step sizes of tensors, chosen
// at the assignment's width unless training learned it, and at every width that has none yet.
//
// REQUIRES: PrepareLayer() was called for every layer at `assignment`. All references outlive the
// object.
class Calibrator : public OperationHooks {
 public:
  // reference: of the float network that `layers` still are, on the same images; nullptr: their
  // statistics are taken plainly.
  Calibrator(const Topology& topology, const std::vector<LayerTensors>& layers,
             const FloatReference* reference, const BitAssignment& assignment,
             bool input_non_negative, StateBank& bank);

  at::Tensor RunLayer(int operation, const at::Tensor& input) override;
  at::Tensor Store(int tensor, at::Tensor value) override;

  // Of the layers that ran; [] of others.
  const LayerStatistics& statistics() const { return statistics_; }

  // False if some layer's outputs overflowed: training diverged. What came after it is of no use.
  bool is_finite() const { return is_finite_; }

 private:
  const Topology& topology_;
  const std::vector<LayerTensors>& layers_;
  const FloatReference* reference_;
  const BitAssignment& assignment_;
  bool input_non_negative_;
  StateBank& bank_;
  std::vector<int> layer_of_operation_;  // -1 without weights
  LayerStatistics statistics_;
  // Of the layer that ran last, where nothing comes between it and Store(), which then applies it in
  // its own pass over the values.
  std::optional<FloatAffine> pending_batch_norm_;
  bool is_finite_ = true;
};

// Layer index of each operation, -1 where it has no weights.
std::vector<int> LayerIndices(const Topology& topology);

}  // namespace bitpilot
