#include "experiments/kernels/timed_layer.h"

#include <cstddef>
#include <random>

#include "kernels/base/network.h"

namespace bitpilot {
namespace {

constexpr int kMeasuredOperation = 1;

Operation MakeConvolution(const char* name, int input, int out_channels, int filter) {
  Operation operation;
  operation.name = name;
  operation.input = input;
  operation.out_channels = out_channels;
  operation.kernel_h = operation.kernel_w = filter;
  const int padding = filter / 2;
  operation.padding = {padding, padding, padding, padding};
  operation.activation = Activation::kRelu;
  return operation;
}

// The layer behind a 1x1 convolution, which gives its input the wanted width, and, where it is a
// convolution, before a pooling to one pixel.
Topology TopologyOf(const LayerShape& shape) {
  Topology topology;
  topology.name = "layer";
  topology.input = {shape.size, shape.size, 1};
  topology.operations = {MakeConvolution("before", 0, shape.channels, 1)};
  if (shape.fully_connected()) {
    Operation layer;
    layer.kind = OperationKind::kFullyConnected;
    layer.name = "measured";
    layer.input = 1;
    layer.out_channels = shape.out_channels;
    topology.operations.push_back(layer);
    return topology;
  }
  const int out_channels = shape.depthwise() ? shape.channels : shape.out_channels;
  topology.operations.push_back(MakeConvolution("measured", 1, out_channels, shape.filter));
  if (shape.depthwise()) {
    topology.operations.back().groups = shape.channels;
  }
  Operation pool;
  pool.kind = OperationKind::kAveragePool;
  pool.name = "pool";
  pool.input = 2;
  pool.out_channels = out_channels;
  pool.kernel_h = pool.kernel_w = shape.size;
  topology.operations.push_back(pool);
  return topology;
}

void FillImage(const TensorLayout& tensor, int bits, std::uint8_t* arena) {
  std::mt19937 random(1);
  for (int y = 0; y < tensor.shape.height; ++y) {
    for (int x = 0; x < tensor.shape.width; ++x) {
      std::uint8_t* pixel =
          arena + tensor.origin_offset() + y * tensor.row_bytes + x * tensor.pixel_bytes;
      for (int c = 0; c < tensor.shape.channels; ++c) {
        pixel[c] = static_cast<std::uint8_t>(random() & ((1U << bits) - 1));
      }
    }
  }
}

}  // namespace

double Samples::MedianNs() const {
  std::vector<double> sorted = ns_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

TimedLayer::TimedLayer(const LayerShape& shape, const ConvKernel& kernel, int weight_bits,
                       int activation_bits)
    : TimedLayer(shape, LevelWith(kernel.features), weight_bits, activation_bits,
                 [this, &kernel](const OperationContext& context) {
                   const auto choose = [&kernel](int) -> const ConvKernel& { return kernel; };
                   const LayerWeights& weights = context.numbers().weights;
                   pieces_ = PlanConvPieces(context, weights, choose);
                   input_ = std::make_unique<ConvInput>(context, pieces_);
                   return MakeConvOperation(context, weights, choose);
                 }) {}

TimedLayer::TimedLayer(const LayerShape& shape, Isa isa, int weight_bits, int activation_bits)
    : TimedLayer(shape, isa, weight_bits, activation_bits,
                 [](const OperationContext& context) { return MakeOperation(context); }) {}

TimedLayer::TimedLayer(const LayerShape& shape, Isa isa, int weight_bits, int activation_bits,
                       const MakeLayer& make) {
  const Topology topology = TopologyOf(shape);
  const int channels = topology.operations[kMeasuredOperation].out_channels;
  BitAssignment assignment = UniformAssignment(topology, 8, 8);
  assignment.weight_bits[kMeasuredOperation] = {{channels, weight_bits}};
  assignment.activation_bits[kMeasuredOperation] = activation_bits;
  if (!shape.fully_connected()) {
    assignment.activation_bits[kMeasuredOperation + 1] = activation_bits;
  }
  const Network network = RandomNetwork(topology, assignment, /*seed=*/1);
  const ArenaPlan plan = PlanArena(network);
  const OperationContext context = {network, plan, isa, kMeasuredOperation, nullptr, {}};
  operation_ = make(context);
  arena_ = AllocateArena(plan);
  scratch_ = AlignedBuffer(operation_->scratch_bytes());
  logits_.resize(static_cast<std::size_t>(channels));
  FillImage(context.input(), activation_bits, arena_.data());
  operation_->Bind({arena_.data(), scratch_.data(), logits_.data()});
  if (input_ != nullptr) {
    input_->Bind(arena_.data() + context.input().arena_offset, scratch_.data());
  }
}

}  // namespace bitpilot
