// The input of one convolution in every form that its kernels read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/topology.h"
#include "kernels/conv/conv_format.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/runtime/conv_plan.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/tensor_layout.h"

namespace bitpilot {

// Converts a tensor of codes, halo included, before the kernels of a run.
class ConvInput {
 public:
  // What `pieces` read of the operation's input.
  ConvInput(const OperationContext& context, std::span<const ConvPiece> pieces);

  // Of all forms but the codes themselves.
  std::size_t scratch_bytes() const { return scratch_bytes_; }

  // codes: first byte of the tensor.   scratch: scratch_bytes(), 64-byte aligned.
  void Bind(const std::uint8_t* codes, std::uint8_t* scratch);

  // Fills the scratch memory from the codes, by the pool's threads or, where it is null, by the
  // caller.
  void Convert(ThreadPool* pool) const;

  // Arguments of `piece` that say where its input is.
  //
  // REQUIRES: Bind() has been called; `piece` is one of the constructor's.
  void SetPointers(const ConvPiece& piece, ConvArgs* args) const;

 private:
  struct ConvertedForm {
    const ConvInputForm* form;
    std::size_t offset;  // In the scratch memory.
  };

  // Sums over each window of the channels of one group.
  struct WindowSums {
    int first_channel;
    int num_channels;
    std::size_t offset;
  };

  std::size_t Reserve(std::size_t bytes);
  void AddUpWindows(const WindowSums& group) const;

  TensorLayout input_;
  Operation convolution_;
  const ElementwiseKernels* elementwise_;
  InputCodes codes_;  // With the parity distance of all pieces that have any.
  std::vector<ConvertedForm> forms_;
  std::vector<WindowSums> window_sums_;  // One a group that has 1-bit weights to look up.
  std::size_t scratch_bytes_ = 0;
  std::uint8_t* scratch_ = nullptr;
};

}  // namespace bitpilot
