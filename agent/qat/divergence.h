// How far a quantized network's answers are from the float network's.
#pragma once

#include <torch/torch.h>

namespace bitpilot {

// Mean over images of KL(softmax(expected) || softmax(got)), nats, in double.
//
// expected, got: logits [N, classes].
double MeanDivergence(const at::Tensor& expected, const at::Tensor& got);

}  // namespace bitpilot
