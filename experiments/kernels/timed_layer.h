// One convolution or fully connected layer, run by one row of the kernels' table: the one given,
// whatever a plan would choose.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/runtime/conv_input.h"
#include "kernels/runtime/conv_plan.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/tensor_layout.h"

namespace bitpilot {

// Square, stride 1, padded to keep its size. A filter of 0: fully connected, with an image of 1. No
// out_channels: depthwise.
struct LayerShape {
  const char* name;
  int channels;
  int size;
  int filter;
  int out_channels;

  bool fully_connected() const { return filter == 0; }
  bool depthwise() const { return out_channels == 0; }
  std::int64_t output_pixels() const { return std::int64_t{size} * size; }
  double macs() const {
    return static_cast<double>(output_pixels()) * std::max(filter * filter, 1) * channels *
           (depthwise() ? 1 : out_channels);
  }
};

// Samples of one thing's time.
class Samples {
 public:
  void Add(double ns) { ns_.push_back(ns); }
  // REQUIRES: a sample.
  double MedianNs() const;

 private:
  std::vector<double> ns_;
};

class TimedLayer {
 public:
  using MakeLayer = std::function<std::unique_ptr<BoundOperation>(const OperationContext& context)>;

  // Random codes that use their whole range. Codes in, codes of the same width out, as in a network
  // of these widths (a fully connected layer: floats out), with the conversion of the input that
  // the kernel needs.
  //
  // REQUIRES: this CPU has kernel.isa; the kernel is exact for these widths.
  TimedLayer(const LayerShape& shape, const ConvKernel& kernel, int weight_bits,
             int activation_bits);

  // The same, with the kernel that a plan on `isa` takes without timing.
  TimedLayer(const LayerShape& shape, Isa isa, int weight_bits, int activation_bits);

  void Run() { operation_->Run(); }
  // The part of Run() before the kernel: bit planes, tables or words from codes.
  void ConvertInput() { input_->Convert(); }
  // False for most: kernels read the codes.
  bool converts_input() const { return input_ != nullptr && input_->scratch_bytes() > 0; }
  std::string kernel_name() const { return operation_->kernel_name(); }

 private:
  TimedLayer(const LayerShape& shape, Isa isa, int weight_bits, int activation_bits,
             const MakeLayer& make);

  // The input of `operation_`, once more.
  std::vector<ConvPiece> pieces_;
  std::unique_ptr<ConvInput> input_;  // Null: depthwise.

  AlignedBuffer arena_;
  AlignedBuffer scratch_;
  std::vector<float> logits_;
  std::unique_ptr<BoundOperation> operation_;
};

}  // namespace bitpilot
