// Topology: what a convolutional network computes, without its numbers.
//
// A topology is a list of operations in execution order. Tensor 0 is the network's input (an
// image); tensor i + 1 is the output of operation i. The last operation's output is the logits,
// which are float and never stored as codes. Everything else (layers for the search, tensors to
// quantize, MACs) derives from this list.
//
// Notation, used in every kernel header: activations are [H, W, C] (batch 1), filters [O, KH, KW, I
// / groups].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// Values are part of the network file: append only.
enum class OperationKind : std::uint8_t {
  kConvolution = 0,     // any stride, padding and groups; depthwise is groups == channels
  kFullyConnected = 1,  // reads the whole input tensor, flattened as [H, W, C]
  kAdd = 2,             // input + residual, element by element
  kAveragePool = 3,     // padding counts as zeros and in the divisor
  kMaxPool = 4,         // padding never wins
  kSubsample = 5,  // every stride-th pixel, zero channels added on both sides (option-A shortcut)
};

enum class Activation : std::uint8_t { kNone = 0, kRelu = 1, kRelu6 = 2 };

std::string_view ToString(OperationKind kind);

struct Padding {
  int top = 0;
  int left = 0;
  int bottom = 0;
  int right = 0;
  friend bool operator==(const Padding&, const Padding&) = default;
};

struct TensorShape {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::int64_t elements() const { return static_cast<std::int64_t>(height) * width * channels; }
  friend bool operator==(const TensorShape&, const TensorShape&) = default;
};

struct Operation {
  OperationKind kind = OperationKind::kConvolution;
  std::string name;   // unique in the topology; names the layer in assignments, tables and errors
  int input = 0;      // tensor index, smaller than this operation's output
  int residual = -1;  // tensor added before the activation, or -1. Convolutions, and kAdd where it
                      // is required.
  int out_channels = 0;
  int kernel_h = 1;  // convolution and pooling window
  int kernel_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  Padding padding;  // each side less than the window
  int groups = 1;   // convolutions only
  int pad_channels_before =
      0;  // kSubsample only: zero channels in front of the input's; the rest go behind
  Activation activation = Activation::kNone;
  friend bool operator==(const Operation&, const Operation&) = default;
};

struct Topology {
  std::string name;
  TensorShape input;
  std::vector<Operation> operations;

  int num_operations() const { return static_cast<int>(operations.size()); }
  // Tensors that are stored as codes and so have a quantizer: the input and every output but the
  // logits.
  int num_stored_tensors() const { return num_operations(); }
  friend bool operator==(const Topology&, const Topology&) = default;
};

inline bool HasWeights(const Operation& operation) {
  return operation.kind == OperationKind::kConvolution ||
         operation.kind == OperationKind::kFullyConnected;
}

// Checks every rule above and that all shapes fit together, with 64-bit arithmetic and before
// anything is allocated, so that a hostile file cannot overflow. Limits: at most 1024 operations,
// 16384 channels, 4096 pixels a side, kMaxTensorElements a tensor, depth of one output (KH * KW * I
// / groups) at most kMaxDepth. Names are printable words without '"' and '#', because tables list
// them; fields that a kind does not use keep their defaults; the last operation gives one pixel and
// has no activation.
//
// Errors:
//   kInvalidArgument  names the operation and the field, with what was expected.
Status ValidateTopology(const Topology& topology);

// Shape of every tensor: [num_operations + 1], the input first, the logits last.
//
// REQUIRES: ValidateTopology(topology).ok().
std::vector<TensorShape> TensorShapes(const Topology& topology);

// Index of each operation with weights, in order: "layer" l of assignments and tables is operation
// LayerOperations()[l].
std::vector<int> LayerOperations(const Topology& topology);

// Name of stored tensor t: "input", or its producer's name.
std::string TensorName(const Topology& topology, int tensor);

// Weights of one output channel: KH * KW * I / groups, or H * W * C for a fully connected layer.
// Works with any operation of `topology` that has weights.
std::int64_t WeightDepth(const Topology& topology, int operation);

// Multiply-accumulates of one operation (0 without weights), batch 1.
std::int64_t Macs(const Topology& topology, int operation);

// Largest depth whose sum of products of (code - zero point) in [-255, 255] with weights in [-127,
// 127] always fits an int32: floor((2^31 - 1) / (255 * 127)).
inline constexpr std::int64_t kMaxDepth = 66'311;

// Largest tensor: sums over a whole network (MACs, weights) then fit 64 bits with room to spare.
inline constexpr std::int64_t kMaxTensorElements = std::int64_t{1} << 28;

}  // namespace bitpilot
