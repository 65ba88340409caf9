// Runs a Topology with LibTorch operations. What a layer does with its weights and how outputs are
// stored is the caller's: the float network, training and calibration differ in just these two
// hooks.
//
// Tensors are float32 [N, C, H, W] in channels-last memory.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "kernels/base/topology.h"

namespace bitpilot {

class OperationHooks {
 public:
  virtual ~OperationHooks() = default;

  // Output of a convolution or fully connected layer, batch norm included, before residual and
  // activation. Batch norm may be left to Store() where no residual comes between.
  virtual at::Tensor RunLayer(int operation, const at::Tensor& input) = 0;

  // What consumers of tensor `tensor` read, given its value before the activation. The logits (the
  // last tensor) are stored as they are and never passed here.
  virtual at::Tensor Store(int tensor, at::Tensor value) = 0;
};

// Runs operations [first_operation, end) and returns the logits [N, classes].
//
// tensors: [num_operations + 1]; those that the operations read must be present. Outputs are added
// to it. With `keep` false, each tensor is dropped after its last use.
at::Tensor RunOperations(const Topology& topology, OperationHooks& hooks,
                         std::vector<at::Tensor>& tensors, int first_operation = 0,
                         bool keep = false);

// Runs every operation on `images` [N, C, H, W].
at::Tensor RunNetwork(const Topology& topology, OperationHooks& hooks, const at::Tensor& images);

// Convolution or fully connected layer with the operation's stride, padding and groups. A fully
// connected layer reads its input flattened as [H, W, C].
//
// weight: [O, I / groups, KH, KW] or [O, H * W * C].   bias: [O], or undefined.
at::Tensor ApplyLayer(const Operation& operation, const at::Tensor& input, const at::Tensor& weight,
                      const at::Tensor& bias);

// ReLU or ReLU6, in place where no gradient is needed.
at::Tensor ApplyActivation(Activation activation, at::Tensor value);

// True if no value of stored tensor `tensor` can be negative: ReLU outputs and what pools or copies
// them. Such tensors have zero point 0.
bool IsNonNegative(const Topology& topology, int tensor, bool input_non_negative);

}  // namespace bitpilot
