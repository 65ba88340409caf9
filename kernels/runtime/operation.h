// One operation of a compiled network, bound to its kernels, its packed weights and its tensors'
// offsets in the arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/conv/conv.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/kernel_choices.h"
#include "kernels/runtime/tensor_layout.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

// Memory of one compiled network.
struct RunMemory {
  std::uint8_t* arena = nullptr;    // Every stored tensor, as ArenaPlan says.
  std::uint8_t* scratch = nullptr;  // Largest scratch_bytes() of any operation; 64-byte aligned.
  float* logits = nullptr;          // [num_classes]
};

// What every operation is built from. Referenced data outlives the construction only.
struct OperationContext {
  const Network& network;
  const ArenaPlan& plan;
  Isa isa;    // Highest instruction set that may be used.
  int index;  // The operation.
  // Kernels are timed and remembered here; null: the tables' order decides.
  KernelChoices* choices = nullptr;
  // What timing may overwrite; read only where `choices` is set.
  RunMemory memory;
  // Threads that share the work of a run, and outlive the operation; null: the caller has it all.
  ThreadPool* pool = nullptr;

  const Operation& operation() const {
    return network.topology.operations[static_cast<std::size_t>(index)];
  }
  const QuantizedOperation& numbers() const {
    return network.operations[static_cast<std::size_t>(index)];
  }
  const TensorLayout& input() const { return Tensor(operation().input); }
  int input_bits() const {
    return network.tensors[static_cast<std::size_t>(operation().input)].bits;
  }
  const TensorLayout& Tensor(int tensor) const {
    return plan.tensors[static_cast<std::size_t>(tensor)];
  }
  // The last operation gives logits and has no output tensor.
  bool is_last() const { return index + 1 == network.topology.num_operations(); }
  const TensorLayout& output() const { return Tensor(index + 1); }
  int num_threads() const { return pool == nullptr ? 1 : pool->num_threads(); }
  TensorShape output_shape() const;  // Of the logits too.
};

class BoundOperation {
 public:
  virtual ~BoundOperation() = default;

  // Scratch memory a run needs, 0 for most.
  virtual std::size_t scratch_bytes() const { return 0; }
  virtual std::int64_t weight_bytes() const { return 0; }
  // Packed weights, in the order in which a run reads them; may be moved before Bind().
  virtual void AddWeights(std::vector<AlignedBuffer*>* /*weights*/) {}
  // Turns arena offsets into addresses; called once, before the first Run().
  virtual void Bind(const RunMemory& memory) = 0;
  // Reads the input tensors, writes the output tensor or the logits. Allocates nothing. What it
  // writes does not depend on the number of threads.
  virtual void Run() = 0;
  // Kernel, or kernels joined by '+' where channel groups differ.
  virtual std::string kernel_name() const = 0;
};

// Distinct names joined by '+', in order.
std::string JoinKernelNames(const std::vector<std::string_view>& names);

// Chooses among the factories below.
std::unique_ptr<BoundOperation> MakeOperation(const OperationContext& context);

// The kernel for a block of 16 channels of which the widest has `weight_bits`.
using ConvChoice = std::function<const ConvKernel&(int weight_bits)>;

// With `weights` instead of the network's, of the same shape.
std::unique_ptr<BoundOperation> MakeConvOperation(const OperationContext& context,
                                                  const LayerWeights& weights,
                                                  const ConvChoice& choose);
// With context.choices, or by the table's order.
std::unique_ptr<BoundOperation> MakeConvOperation(const OperationContext& context);
std::unique_ptr<BoundOperation> MakeDepthwiseOperation(const OperationContext& context);
std::unique_ptr<BoundOperation> MakeAddOperation(const OperationContext& context);
std::unique_ptr<BoundOperation> MakePoolOperation(const OperationContext& context);
std::unique_ptr<BoundOperation> MakeSubsampleOperation(const OperationContext& context);

}  // namespace bitpilot
