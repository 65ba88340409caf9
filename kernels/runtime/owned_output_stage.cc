#include "kernels/runtime/owned_output_stage.h"

#include <algorithm>
#include <cmath>

namespace bitpilot {
namespace {

std::vector<float> PadToBlock(const float* values, int count) {
  std::vector<float> padded(values, values + count);
  padded.resize(static_cast<std::size_t>(NumBlocks(count)) * kBlockChannels);
  return padded;
}

// Of a sum of (code - zero point) * weight; anything for other operations.
std::int64_t LargestSum(const OperationContext& context) {
  constexpr std::int64_t kLargestCode = 255;  // of code - zero point
  constexpr std::int64_t kLargestWeight = 127;
  if (HasWeights(context.operation())) {
    return WeightDepth(context.network.topology, context.index) * kLargestCode * kLargestWeight;
  }
  return std::int64_t{1} << 31;
}

}  // namespace

bool StaysInInt32(const OutputArgs& args, std::int64_t largest_sum) {
  constexpr double kLimit = 1 << 30;
  const double rest = 255.0 * (1.0 + std::fabs(args.residual_scale));
  for (int o = 0; o < NumBlocks(args.channels) * kBlockChannels; ++o) {
    const double sum = static_cast<double>(largest_sum) * std::fabs(args.scale[o]);
    if (!(sum + std::fabs(args.bias[o]) + rest < kLimit)) {
      return false;
    }
  }
  return true;
}

OutputArgs OfChannels(OutputArgs output, int first, int count) {
  output.channels = count;
  output.correction += first;
  output.scale += first;
  output.bias += first;
  if (output.num_thresholds > 0) {
    output.thresholds += first;
    output.threshold_flips += first;
  }
  if (output.codes != nullptr) output.codes += first;
  if (output.logits != nullptr) output.logits += first;
  if (output.residual != nullptr) output.residual += first;
  return output;
}

OutputArgs OwnedOutputStage::Bind(const RunMemory& memory) const {
  OutputArgs bound = args;
  bound.correction = correction.data();
  bound.scale = scale.data();
  bound.bias = bias.data();
  if (thresholds.count > 0) {
    bound.num_thresholds = thresholds.count;
    bound.threshold_stride = static_cast<std::ptrdiff_t>(thresholds.flips.size());
    bound.thresholds = thresholds.sums.data();
    bound.threshold_flips = thresholds.flips.data();
  }
  bound.is_plain = args.zero_point == 0.0F && args.code_min == 0.0F &&
                   std::all_of(correction.begin(), correction.end(),
                               [](std::int32_t value) { return value == 0; });
  bound.stays_in_int32 = StaysInInt32(bound, largest_sum);
  if (writes_logits) {
    bound.logits = memory.logits + first_channel;
  } else {
    bound.codes = memory.arena + output_offset + first_channel;
  }
  if (has_residual) {
    bound.residual = memory.arena + residual_offset + first_channel;
  }
  return bound;
}

OwnedOutputStage MakeOutputStage(const OperationContext& context, int first, int count) {
  const OutputStage& numbers = context.numbers().output;
  const Operation& operation = context.operation();
  OwnedOutputStage stage;
  stage.scale = PadToBlock(numbers.scale.data() + first, count);
  stage.bias = PadToBlock(numbers.bias.data() + first, count);
  stage.correction.resize(stage.scale.size());
  stage.first_channel = first;
  stage.largest_sum = LargestSum(context);
  stage.args.channels = count;
  stage.args.width = context.output_shape().width;
  stage.args.code_min = static_cast<float>(numbers.code_min);
  stage.args.code_max = static_cast<float>(numbers.code_max);
  stage.writes_logits = context.is_last();
  if (!stage.writes_logits) {
    stage.args.zero_point = static_cast<float>(context.output().zero_point);
    stage.args.row_bytes = context.output().row_bytes;
    stage.args.pixel_bytes = context.output().pixel_bytes;
    stage.output_offset = context.output().origin_offset();
  }
  stage.has_residual = operation.residual >= 0;
  if (!stage.writes_logits) {
    OutputArgs numbers_only = stage.args;
    numbers_only.scale = stage.scale.data();
    numbers_only.bias = stage.bias.data();
    stage.thresholds = FindCodeThresholds(numbers_only, stage.has_residual, stage.largest_sum);
  }
  if (stage.has_residual) {
    const TensorLayout& residual = context.Tensor(operation.residual);
    stage.args.residual_row_bytes = residual.row_bytes;
    stage.args.residual_pixel_bytes = residual.pixel_bytes;
    stage.args.residual_zero_point = residual.zero_point;
    stage.args.residual_scale = numbers.residual_scale;
    stage.residual_offset = residual.origin_offset();
  }
  return stage;
}

}  // namespace bitpilot
