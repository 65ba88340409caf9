// A topology as an ONNX model in 8 bits, as quantization tools export it: the peer's own input
// format.
//
// QuantizeLinear / DequantizeLinear pairs around every tensor, uint8 activations, int8 weights with
// per-channel scales, int32 biases: what ONNX Runtime turns into its integer kernels. Random
// weights: only the time is of interest.
#pragma once

#include <string>

#include "kernels/base/topology.h"

namespace bitpilot {

// Names of the model's input, float32 [1, C, H, W], and of its output, float32 [1, classes].
inline constexpr char kOnnxInputName[] = "image";
inline constexpr char kOnnxOutputName[] = "logits";

// The serialized ModelProto (operator set 13).
//
// REQUIRES: ValidateTopology(topology).ok(); every operation but kSubsample; average pooling only
// of whole images.
std::string MakeOnnxModel(const Topology& topology);

}  // namespace bitpilot
