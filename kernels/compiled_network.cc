#include "kernels/compiled_network.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/cpu/thread_cpu_time.h"
#include "kernels/cpu/wall_time.h"
#include "kernels/runtime/channel_order.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/pixel_converter.h"
#include "kernels/runtime/tensor_layout.h"
#include "kernels/runtime/threads_tuner.h"

namespace bitpilot {
namespace {

// Far above every network for a board; keeps 32-bit offsets into a tensor, doubled for 16-bit
// copies, in range.
constexpr std::size_t kMaxArenaBytes = std::size_t{1} << 30;

}  // namespace

struct CompiledNetwork::Impl {
  Impl(const Network& network, Isa limit, ThreadPool* threads)
      : isa(limit),
        pool(threads),
        plan(PlanArena(network)),
        pixel_converter(network, plan.tensors.front(), limit),
        logits(static_cast<std::size_t>(network.num_classes())) {}

  void Compile(const Network& network, const CompileOptions& options);
  void Run(const std::uint8_t* pixels);
  void ConvertPixels(const std::uint8_t* pixels);
  void RunOperation(std::size_t index);

  Isa isa;
  ThreadPool* pool;
  ArenaPlan plan;
  PixelConverter pixel_converter;
  std::vector<float> logits;
  std::vector<std::unique_ptr<BoundOperation>> operations;
  AlignedBuffer arena;
  AlignedBuffer scratch;
  AlignedBuffer weights;  // Of all operations.
};

void CompiledNetwork::Impl::Compile(const Network& network, const CompileOptions& options) {
  std::size_t scratch_bytes = 0;
  arena = AllocateArena(plan);
  const RunMemory unbound{.arena = arena.data(), .logits = logits.data()};
  for (int i = 0; i < network.topology.num_operations(); ++i) {
    operations.push_back(MakeOperation({network, plan, isa, i, options.choices, unbound, pool}));
    scratch_bytes = std::max(scratch_bytes, operations.back()->scratch_bytes());
    if (options.on_operation) options.on_operation();
  }
  scratch = AlignedBuffer(scratch_bytes);
  std::vector<AlignedBuffer*> packed;
  for (const auto& operation : operations) {
    operation->AddWeights(&packed);
  }
  weights = Gather(packed);
  for (const auto& operation : operations) {
    operation->Bind({arena.data(), scratch.data(), logits.data()});
  }
}

void CompiledNetwork::Impl::Run(const std::uint8_t* pixels) {
  const ThreadPool::Awake awake(pool);
  ConvertPixels(pixels);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    RunOperation(i);
  }
}

void CompiledNetwork::Impl::ConvertPixels(const std::uint8_t* pixels) {
  RefillHalo(plan, /*tensor=*/0, arena.data());
  pixel_converter.Convert(pixels, arena.data(), pool);
}

void CompiledNetwork::Impl::RunOperation(std::size_t index) {
  RefillHalo(plan, static_cast<int>(index) + 1, arena.data());
  operations[index]->Run();
}

Result<CompiledNetwork> CompiledNetwork::Create(const Network& given,
                                                const CompileOptions& options) {
  BITPILOT_RETURN_IF_ERROR(ValidateNetwork(given));
  if (!CpuSupports(options.isa)) {
    return Unsupported(WhyUnsupported(options.isa));
  }
  try {
    const std::optional<Network> grouped = GroupChannelsByWidth(given);
    const Network& network = grouped ? *grouped : given;
    const bool shares = options.pool != nullptr && options.pool->num_threads() > 1;
    auto impl = std::make_unique<Impl>(network, options.isa, shares ? options.pool : nullptr);
    if (impl->plan.total_bytes > kMaxArenaBytes) {
      return Status(StatusCode::kResourceExhausted,
                    "activations need " + std::to_string(impl->plan.total_bytes) +
                        " bytes, more than the " + std::to_string(kMaxArenaBytes) +
                        " that a network may use");
    }
    impl->Compile(network, options);
    if (shares && options.choices != nullptr) {
      auto alone = std::make_unique<Impl>(network, options.isa, nullptr);
      alone->Compile(network, options);
      const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()));
      if (IsFasterByOneThread(
              NetworkThreadsKey(network, options.isa, options.pool->num_threads()),
              [&] { impl->Run(pixels.data()); }, [&] { alone->Run(pixels.data()); }, WallNs,
              *options.choices)) {
        impl = std::move(alone);
      }
    }
    return CompiledNetwork(std::move(impl));
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kResourceExhausted, "no memory for weights and activations");
  }
}

CompiledNetwork::CompiledNetwork(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CompiledNetwork::CompiledNetwork(CompiledNetwork&&) noexcept = default;
CompiledNetwork& CompiledNetwork::operator=(CompiledNetwork&&) noexcept = default;
CompiledNetwork::~CompiledNetwork() = default;

void CompiledNetwork::Run(std::span<const std::uint8_t> pixels, std::span<float> logits) {
  BITPILOT_CHECK(pixels.size() ==
                 static_cast<std::size_t>(impl_->plan.tensors.front().shape.elements()));
  BITPILOT_CHECK(logits.size() == impl_->logits.size());
  impl_->Run(pixels.data());
  std::copy(impl_->logits.begin(), impl_->logits.end(), logits.begin());
}

void CompiledNetwork::RunTimed(std::span<const std::uint8_t> pixels, std::span<float> logits,
                               std::span<std::int64_t> nanoseconds) {
  BITPILOT_CHECK(pixels.size() ==
                 static_cast<std::size_t>(impl_->plan.tensors.front().shape.elements()));
  BITPILOT_CHECK(logits.size() == impl_->logits.size());
  BITPILOT_CHECK(nanoseconds.size() == impl_->operations.size());
  // Of the caller alone, the CPU time would be without what it waits for.
  const auto now_ns = impl_->pool == nullptr ? ThreadCpuNs : WallNs;
  const ThreadPool::Awake awake(impl_->pool);
  std::int64_t last = now_ns();
  impl_->ConvertPixels(pixels.data());
  for (std::size_t i = 0; i < impl_->operations.size(); ++i) {
    impl_->RunOperation(i);
    const std::int64_t now = now_ns();
    nanoseconds[i] += now - last;
    last = now;
  }
  std::copy(impl_->logits.begin(), impl_->logits.end(), logits.begin());
}

int CompiledNetwork::num_operations() const { return static_cast<int>(impl_->operations.size()); }

std::string CompiledNetwork::kernel_name(int operation) const {
  BITPILOT_CHECK(operation >= 0 && operation < num_operations());
  return impl_->operations[static_cast<std::size_t>(operation)]->kernel_name();
}

Isa CompiledNetwork::isa() const { return impl_->isa; }

int CompiledNetwork::num_threads() const {
  return impl_->pool == nullptr ? 1 : impl_->pool->num_threads();
}

std::int64_t CompiledNetwork::weight_arena_bytes() const {
  std::int64_t total = 0;
  for (const auto& operation : impl_->operations) {
    total += operation->weight_bytes();
  }
  return total;
}

std::int64_t CompiledNetwork::activation_arena_bytes() const {
  return static_cast<std::int64_t>(impl_->arena.size() + impl_->scratch.size());
}

}  // namespace bitpilot
