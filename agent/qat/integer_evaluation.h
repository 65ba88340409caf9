// Accuracy of an exported integer network, run on this host by the same kernels that boards run. No
// LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/qat/quantized_model.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Loss, accuracy and predictions over `data`, on ComputeThreads() threads. Every instruction set and
// every number of threads gives the same logits, so the answer does not depend on the machine.
//
// Errors:
//   kInvalidArgument    the network is not valid, or `data` has another shape than its input.
//   kResourceExhausted  no memory for the compiled network.
//   kUnsupported        BITPILOT_FORCE_ISA names an instruction set that this CPU lacks.
Result<Evaluation> EvaluateInteger(const Network& network, const ImageDataset& data);

// Logits, [images][classes], of `pixels`: [C, H, W] bytes of a few images, back to back.
using InferFunction =
    std::function<Result<std::vector<std::vector<float>>>(std::span<const std::uint8_t> pixels)>;

// The same with the logits of whoever `infer` asks, e.g. a board.
//
// Errors: kInvalidArgument as above; whatever `infer` returns.
Result<Evaluation> EvaluateInteger(const Network& network, const ImageDataset& data,
                                   const InferFunction& infer);

}  // namespace bitpilot
