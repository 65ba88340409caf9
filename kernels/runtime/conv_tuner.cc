#include "kernels/runtime/conv_tuner.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <sstream>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/dense_codes.h"
#include "kernels/conv/conv_format.h"
#include "kernels/cpu/thread_cpu_time.h"
#include "kernels/cpu/wall_time.h"
#include "kernels/runtime/conv_plan.h"
#include "kernels/runtime/fastest_candidate.h"
#include "kernels/runtime/owned_output_stage.h"

namespace bitpilot {
namespace {

constexpr std::size_t kMaxCandidates = 4;
// Passes of the planes, in multiples of the table's rule, up to which they are worth timing.
constexpr int kPlanesMargin = 2;

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

// The layer by one kernel, ready to run.
struct Candidate {
  Candidate(const OperationContext& context, const LayerWeights& weights, const ConvKernel& kernel)
      : operation(MakeConvOperation(context, weights,
                                    [&kernel](int) -> const ConvKernel& { return kernel; })),
        scratch(operation->scratch_bytes()) {
    RunMemory memory = context.memory;
    memory.scratch = scratch.data();
    operation->Bind(memory);
  }

  std::unique_ptr<BoundOperation> operation;
  AlignedBuffer scratch;
};

// How sums become codes: the paths that a kernel's output stage may take.
void DescribeOutputStage(const OperationContext& context, std::ostringstream& key) {
  const OwnedOutputStage stage = MakeOutputStage(context, 0, context.operation().out_channels);
  OutputArgs args = stage.args;
  args.scale = stage.scale.data();
  args.bias = stage.bias.data();
  if (context.is_last()) key << " logits";
  if (!context.is_last()) key << " to pixel " << args.pixel_bytes << " row " << args.row_bytes;
  if (stage.thresholds.count > 0) key << " thresholds " << stage.thresholds.count;
  if (args.zero_point != 0.0F || args.code_min != 0.0F) key << " shifted";
  if (!StaysInInt32(args, stage.largest_sum)) key << " wide";
  if (stage.has_residual) {
    key << " residual pixel " << args.residual_pixel_bytes << " row " << args.residual_row_bytes
        << " zero " << args.residual_zero_point;
  }
}

}  // namespace

std::string ConvLayerKey(const OperationContext& context, int weight_bits) {
  const Operation operation = AsConvolution(context.operation(), context.input().shape);
  const TensorLayout& in = context.input();
  const TensorShape out = context.output_shape();
  const Padding& padding = operation.padding;
  std::ostringstream key;
  key << ToString(context.isa) << " in " << in.shape.channels << 'x' << in.shape.height << 'x'
      << in.shape.width << " pixel " << in.pixel_bytes << " row " << in.row_bytes << " zero "
      << in.zero_point << " out " << out.channels << 'x' << out.height << 'x' << out.width
      << " filter " << operation.kernel_h << 'x' << operation.kernel_w << " stride "
      << operation.stride_h << 'x' << operation.stride_w << " padding " << padding.top << ','
      << padding.left << ',' << padding.bottom << ',' << padding.right << " groups "
      << operation.groups << " w" << weight_bits << 'a' << context.input_bits();
  DescribeOutputStage(context, key);
  if (context.num_threads() > 1) key << " threads " << context.num_threads();
  return key.str();
}

std::vector<const ConvKernel*> ConvCandidates(Isa limit, int weight_bits, int activation_bits,
                                              std::int64_t output_pixels) {
  std::vector<const ConvKernel*> candidates;
  for (const ConvKernel& kernel : AllConvKernels()) {
    const ConvFormat& format = *kernel.format;
    if (!Allows(limit, kernel.features) || !format.SuitsPixels(output_pixels) ||
        weight_bits > kernel.max_weight_bits || activation_bits > kernel.max_activation_bits ||
        format.bit_products(weight_bits, activation_bits) >
            kPlanesMargin * kernel.max_bit_products ||
        (!candidates.empty() && FeaturesOf(limit).Intersects(format.superseded_by))) {
      continue;
    }
    const bool covered = std::any_of(
        candidates.begin(), candidates.end(),
        [&format](const ConvKernel* other) { return other->format->way == format.way; });
    if (!covered) candidates.push_back(&kernel);
    if (candidates.size() == kMaxCandidates) break;
  }
  return candidates;
}

const ConvKernel& ChooseConvKernel(const OperationContext& context, int weight_bits,
                                   KernelChoices& choices) {
  std::vector<const ConvKernel*> candidates =
      ConvCandidates(context.isa, weight_bits, context.input_bits(), OutputPixels(context));
  std::erase_if(candidates, [&context](const ConvKernel* candidate) {
    return context.input().pixel_bytes %
               candidate->format->InputForm(context.input_bits()).codes_multiple !=
           0;
  });
  BITPILOT_CHECK(!candidates.empty());
  if (candidates.size() == 1) return *candidates.front();
  const std::string key = ConvLayerKey(context, weight_bits);
  const KernelChoice* known = choices.Find(key);
  const auto in_force =
      std::find_if(candidates.begin(), candidates.end(), [known](const ConvKernel* candidate) {
        return known != nullptr && candidate->name == known->kernel;
      });
  if (in_force != candidates.end()) {
    if (choices.IsSettled(*known)) {
      choices.Use(key);
      return **in_force;
    }
    std::rotate(candidates.begin(), in_force, in_force + 1);  // FindFastest() prefers the first.
  }
  const LayerWeights weights = UniformWeights(
      context.numbers().weights,
      static_cast<std::size_t>(WeightDepth(context.network.topology, context.index)), weight_bits);
  std::vector<Candidate> ready;
  std::vector<std::function<void()>> runs;
  for (const ConvKernel* candidate : candidates) {
    ready.emplace_back(context, weights, *candidate);
    runs.emplace_back([operation = ready.back().operation.get()] { operation->Run(); });
  }
  const ThreadPool::Awake awake(context.pool);
  const FastestCandidate fastest =
      FindFastest(runs, context.pool == nullptr ? ThreadCpuNs : WallNs, choices.tick());
  const ConvKernel& kernel = *candidates[fastest.index];
  choices.Remember(key, kernel.name, fastest.margin);
  choices.Use(key);
  return kernel;
}

}  // namespace bitpilot
