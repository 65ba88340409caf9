// CompiledNetwork: a Network packed and bound to the fastest exact kernels of one CPU.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/kernel_choices.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

struct CompileOptions {
  Isa isa = Isa::kScalar;  // Highest instruction set that may be used.
  // Where given, the exact kernels of each convolution are timed on it and the fastest is
  // remembered here (kernels/runtime/conv_tuner.h; 5 to 50 ms for ResNet-20, nothing for settled
  // layers): give it only where the CPU is fit to be measured. Otherwise the table's order decides:
  // the same plan on every CPU.
  KernelChoices* choices = nullptr;
  // Called after each operation is packed, which may include the timing of its kernels. May be
  // empty.
  std::function<void()> on_operation = {};
  // Threads that share the work of an inference, and outlive the network; networks that run one
  // after the other may have the same. Null: one thread, the caller. With `choices`, one thread has
  // all the work where that is faster (kernels/runtime/threads_tuner.h).
  ThreadPool* pool = nullptr;
};

// Not thread-safe; one instance a thread. Holds every buffer it needs, those of all threads of its
// pool included: Run() allocates nothing. Logits do not depend on the number of threads.
class CompiledNetwork {
 public:
  // Chooses a kernel for each operation, packs the weights, plans the memory.
  //
  // Errors:
  //   kInvalidArgument    ValidateNetwork's message.
  //   kUnsupported        the CPU lacks options.isa.
  //   kResourceExhausted  no memory for weights and activations.
  static Result<CompiledNetwork> Create(const Network& network, const CompileOptions& options);

  CompiledNetwork(CompiledNetwork&&) noexcept;
  CompiledNetwork& operator=(CompiledNetwork&&) noexcept;
  ~CompiledNetwork();

  // One inference, from pixels to logits, bit for bit what RunReference() gives.
  //
  // pixels: [C, H, W] unsigned bytes.   logits: [num_classes], overwritten.
  //
  // REQUIRES: both spans have exactly the network's sizes.
  void Run(std::span<const std::uint8_t> pixels, std::span<float> logits);

  // One inference as Run(), with the time of each operation added to nanoseconds[operation]: thread
  // CPU time, of several threads wall time.
  //
  // REQUIRES: nanoseconds.size() == num_operations().
  void RunTimed(std::span<const std::uint8_t> pixels, std::span<float> logits,
                std::span<std::int64_t> nanoseconds);

  int num_operations() const;
  // Kernel that runs operation i, e.g. "conv_w4a4_i16_avx2".
  std::string kernel_name(int operation) const;
  Isa isa() const;
  // Threads that share the work: the pool's, or one.
  int num_threads() const;
  // Bytes of packed weights and of the activation arena, for reports.
  std::int64_t weight_arena_bytes() const;
  std::int64_t activation_arena_bytes() const;

 private:
  struct Impl;
  explicit CompiledNetwork(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitpilot
