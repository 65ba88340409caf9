// Learned step size quantization as autograd functions over the fused kernels of lsq_kernels.h.
//
// Tensors are float32 and dense; outputs and gradients keep the memory order of the input.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "agent/qat/lsq_kernels.h"

namespace bitpilot {

// Fake-quantizes an activation tensor with one step size.
//
// x: any shape.   step: [1], > 0.   Gradients: x's as lsq_kernels.h says; step's times LSQ's
// gradient scale.
at::Tensor FakeQuantizeTensor(const at::Tensor& x, const at::Tensor& step, const LevelRange& range);

// Fake-quantizes weights with one step size and one width per output channel.
//
// weight: [O, ...].   steps: [O], > 0.   bits: [O], each in [1, 8].
at::Tensor FakeQuantizeWeights(const at::Tensor& weight, const at::Tensor& steps,
                               const std::vector<int>& bits);

}  // namespace bitpilot
