#include "kernels/runtime/conv_tuner.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <sstream>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/dense_codes.h"
#include "kernels/runtime/conv_plan.h"

namespace bitpilot {
namespace {

constexpr std::size_t kMaxCandidates = 4;
// Passes of the planes, in multiples of the table's rule, up to which they are worth timing.
constexpr int kPlanesMargin = 2;
constexpr int kMaxRounds = 15;
constexpr double kRoundsBudgetNs = 3e6;  // Of one layer; two rounds are always made.
constexpr double kSampleNs = 10e3;       // Runs shorter than this are timed several at once.
constexpr int kMaxRunsPerSample = 32;
// Slower than the best in the first round by this factor: not timed again.
constexpr double kHopeless = 1.5;
// Advantage that a row further down needs: closer ones would alternate from start to start.
constexpr double kMargin = 0.98;

// The layer with all channels at `weight_bits`; wider codes are clamped, which time does not see.
LayerWeights UniformWeights(const LayerWeights& weights, std::size_t depth, int weight_bits) {
  const std::size_t channels = weights.channel_bits.size();
  LayerWeights uniform;
  uniform.channel_bits.assign(channels, static_cast<std::uint8_t>(weight_bits));
  uniform.codes = DenseCodes(weights, 0, channels, depth);
  const int limit = weight_bits == 1 ? 1 : (1 << (weight_bits - 1)) - 1;
  for (std::int8_t& code : uniform.codes) {
    const int clamped = std::clamp<int>(code, -limit, limit);
    code = static_cast<std::int8_t>(weight_bits == 1 && clamped == 0 ? 1 : clamped);
  }
  return uniform;
}

class TimedCandidate {
 public:
  TimedCandidate(const OperationContext& context, const LayerWeights& weights,
                 const ConvKernel& kernel)
      : kernel_(&kernel),
        operation_(MakeConvOperation(context, weights,
                                     [&kernel](int) -> const ConvKernel& { return kernel; })),
        scratch_(operation_->scratch_bytes()) {
    RunMemory memory = context.memory;
    memory.scratch = scratch_.data();
    operation_->Bind(memory);
  }

  // Nanoseconds of one run, the least of all samples: other work only ever adds.
  double best_ns() const { return best_ns_; }
  const ConvKernel& kernel() const { return *kernel_; }

  // Returns the nanoseconds that it took.
  double Sample() {
    const auto start = std::chrono::steady_clock::now();
    for (int run = 0; run < runs_per_sample_; ++run) operation_->Run();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    best_ns_ = std::min(best_ns_, took.count() / runs_per_sample_);
    runs_per_sample_ = std::clamp(static_cast<int>(kSampleNs / best_ns_), 1, kMaxRunsPerSample);
    return took.count();
  }

 private:
  const ConvKernel* kernel_;
  std::unique_ptr<BoundOperation> operation_;
  AlignedBuffer scratch_;
  double best_ns_ = std::numeric_limits<double>::infinity();
  int runs_per_sample_ = 1;
};

double BestNs(const std::vector<TimedCandidate>& candidates) {
  double best_ns = std::numeric_limits<double>::infinity();
  for (const TimedCandidate& candidate : candidates) {
    best_ns = std::min(best_ns, candidate.best_ns());
  }
  return best_ns;
}

const ConvKernel& FastestKernel(std::vector<TimedCandidate> candidates) {
  double spent_ns = 0.0;
  for (int round = 0; round < kMaxRounds && (round < 2 || spent_ns < kRoundsBudgetNs); ++round) {
    for (TimedCandidate& candidate : candidates) spent_ns += candidate.Sample();
    const double hopeless_ns = kHopeless * BestNs(candidates);
    // The first round also loads caches and wakes the vector units: it drops nobody.
    if (round > 0) {
      std::erase_if(candidates, [hopeless_ns](const TimedCandidate& candidate) {
        return candidate.best_ns() > hopeless_ns;
      });
    }
    if (candidates.size() == 1) break;
  }
  const TimedCandidate* winner = &candidates.front();
  for (const TimedCandidate& candidate : candidates) {
    if (candidate.best_ns() < kMargin * winner->best_ns()) winner = &candidate;
  }
  return winner->kernel();
}

}  // namespace

std::string ConvLayerKey(const OperationContext& context, int weight_bits) {
  const Operation operation = AsConvolution(context.operation(), context.input().shape);
  const TensorShape& in = context.input().shape;
  const TensorShape out = context.output_shape();
  std::ostringstream key;
  key << ToString(context.isa) << " in " << in.channels << 'x' << in.height << 'x' << in.width
      << " out " << out.channels << 'x' << out.height << 'x' << out.width << " filter "
      << operation.kernel_h << 'x' << operation.kernel_w << " stride " << operation.stride_h << 'x'
      << operation.stride_w << " groups " << operation.groups << " w" << weight_bits << 'a'
      << context.input_bits() << (operation.residual >= 0 ? " residual" : "")
      << (context.is_last() ? " logits" : "");
  return key.str();
}

std::vector<const ConvKernel*> ConvCandidates(Isa limit, int weight_bits, int activation_bits,
                                              std::int64_t output_pixels) {
  std::vector<const ConvKernel*> candidates;
  for (const ConvKernel& kernel : AllConvKernels()) {
    if (!Allows(limit, kernel.isa) || !SuitsPixels(kernel, output_pixels) ||
        weight_bits > kernel.max_weight_bits || activation_bits > kernel.max_activation_bits ||
        BitProducts(kernel.operand, weight_bits, activation_bits) >
            kPlanesMargin * kernel.max_bit_products) {
      continue;
    }
    const bool covered =
        std::any_of(candidates.begin(), candidates.end(), [&kernel](const ConvKernel* other) {
          const bool vectors_beat_it =
              other->isa >= (kernel.isa == Isa::kScalar ? Isa::kSse4 : Isa::kAvx512Vnni) &&
              kernel.isa <= Isa::kScalarPopcnt;
          const bool both_dense = DenseBits(kernel.operand) > 0 && DenseBits(other->operand) > 0;
          return vectors_beat_it || both_dense ||
                 (other->operand == kernel.operand &&
                  other->accumulator_bits == kernel.accumulator_bits);
        });
    if (!covered) candidates.push_back(&kernel);
    if (candidates.size() == kMaxCandidates) break;
  }
  return candidates;
}

const ConvKernel& ChooseConvKernel(const OperationContext& context, int weight_bits,
                                   KernelChoices& choices) {
  std::vector<const ConvKernel*> candidates =
      ConvCandidates(context.isa, weight_bits, context.input_bits(), OutputPixels(context));
  if (context.input().pixel_bytes % 4 != 0) {
    std::erase_if(candidates,
                  [](const ConvKernel* candidate) { return IsPlanes(candidate->operand); });
  }
  BITPILOT_CHECK(!candidates.empty());
  if (candidates.size() == 1) return *candidates.front();
  const std::string key = ConvLayerKey(context, weight_bits);
  const std::string_view known = choices.Find(key);
  for (const ConvKernel* candidate : candidates) {
    if (candidate->name == known) return *candidate;
  }
  const LayerWeights weights = UniformWeights(
      context.numbers().weights,
      static_cast<std::size_t>(WeightDepth(context.network.topology, context.index)), weight_bits);
  std::vector<TimedCandidate> timed;
  timed.reserve(candidates.size());
  for (const ConvKernel* candidate : candidates) timed.emplace_back(context, weights, *candidate);
  const ConvKernel& fastest = FastestKernel(std::move(timed));
  choices.Remember(key, fastest.name);
  return fastest;
}

}  // namespace bitpilot
