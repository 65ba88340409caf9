#include "kernels/base/standard_networks.h"

#include <algorithm>
#include <utility>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

// Appends operations one after the other; each call gives the index of the tensor it produces.
class TopologyBuilder {
 public:
  TopologyBuilder(std::string_view name, TensorShape input) {
    topology_.name = name;
    topology_.input = input;
  }

  int Convolution(std::string name, int input, int out_channels, int kernel, int stride,
                  Padding padding, Activation activation, int groups = 1) {
    Operation op =
        Windowed(OperationKind::kConvolution, std::move(name), input, kernel, stride, padding);
    op.out_channels = out_channels;
    op.activation = activation;
    op.groups = groups;
    return Append(std::move(op));
  }

  int Pool(OperationKind kind, std::string name, int input, int kernel, int stride,
           Padding padding) {
    return Append(Windowed(kind, std::move(name), input, kernel, stride, padding));
  }

  int GlobalAveragePool(std::string name, int input) {
    const int size = Shape(input).height;
    return Pool(OperationKind::kAveragePool, std::move(name), input, size, size, {});
  }

  // The option-A shortcut: every second pixel, (out_channels - in) / 2 zero channels on both sides.
  int Subsample(std::string name, int input, int out_channels) {
    Operation op = Windowed(OperationKind::kSubsample, std::move(name), input, 1, 2, {});
    op.pad_channels_before = (out_channels - op.out_channels) / 2;
    op.out_channels = out_channels;
    return Append(std::move(op));
  }

  int FullyConnected(std::string name, int input, int out_channels) {
    Operation op = Windowed(OperationKind::kFullyConnected, std::move(name), input, 1, 1, {});
    op.out_channels = out_channels;
    return Append(std::move(op));
  }

  // Makes the operation that produces `tensor` add `residual` before its activation.
  void AddResidual(int tensor, int residual) {
    topology_.operations[static_cast<std::size_t>(tensor - 1)].residual = residual;
  }

  // TensorFlow's "same" padding of `tensor`: the odd pixel goes to the bottom and to the right.
  Padding SamePadding(int tensor, int kernel, int stride) const {
    const int size = Shape(tensor).height;
    const int positions = (size + stride - 1) / stride;
    const int total = std::max(0, (positions - 1) * stride + kernel - size);
    const int before = total / 2;
    return {before, before, total - before, total - before};
  }

  int channels(int tensor) const { return Shape(tensor).channels; }

  Topology Build() && { return std::move(topology_); }

 private:
  // An operation that keeps the channels of its input.
  Operation Windowed(OperationKind kind, std::string name, int input, int kernel, int stride,
                     Padding padding) const {
    Operation op;
    op.kind = kind;
    op.name = std::move(name);
    op.input = input;
    op.out_channels = channels(input);
    op.kernel_h = op.kernel_w = kernel;
    op.stride_h = op.stride_w = stride;
    op.padding = padding;
    return op;
  }

  int Append(Operation op) {
    topology_.operations.push_back(std::move(op));
    return topology_.num_operations();
  }

  TensorShape Shape(int tensor) const {
    return TensorShapes(topology_)[static_cast<std::size_t>(tensor)];
  }

  Topology topology_;
};

constexpr Padding kPadding1 = {1, 1, 1, 1};
constexpr Padding kPadding3 = {3, 3, 3, 3};

Topology ResNet8() {
  TopologyBuilder net("resnet8", {32, 32, 3});
  const auto convolution = [&net](std::string name, int input, int channels, int kernel, int stride,
                                  Activation activation) {
    return net.Convolution(std::move(name), input, channels, kernel, stride,
                           net.SamePadding(input, kernel, stride), activation);
  };
  int x = convolution("conv2d", 0, 16, 3, 1, Activation::kRelu);
  int y = convolution("conv2d_1", x, 16, 3, 1, Activation::kRelu);
  y = convolution("conv2d_2", y, 16, 3, 1, Activation::kRelu);
  net.AddResidual(y, x);
  x = y;

  y = convolution("conv2d_3", x, 32, 3, 2, Activation::kRelu);
  int shortcut = convolution("conv2d_5", x, 32, 1, 2, Activation::kNone);
  x = convolution("conv2d_4", y, 32, 3, 1, Activation::kRelu);
  net.AddResidual(x, shortcut);

  y = convolution("conv2d_6", x, 64, 3, 2, Activation::kRelu);
  shortcut = convolution("conv2d_8", x, 64, 1, 2, Activation::kNone);
  x = convolution("conv2d_7", y, 64, 3, 1, Activation::kRelu);
  net.AddResidual(x, shortcut);

  x = net.GlobalAveragePool("average_pooling2d", x);
  net.FullyConnected("dense", x, 10);
  return std::move(net).Build();
}

// A basic block; `shortcut` makes the shortcut's tensor from (name prefix, input, channels).
template <typename Shortcut>
int BasicBlock(TopologyBuilder& net, const std::string& prefix, int input, int channels, int stride,
               const Shortcut& shortcut) {
  const int hidden =
      net.Convolution(prefix + "conv1", input, channels, 3, stride, kPadding1, Activation::kRelu);
  const bool reshapes = stride != 1 || net.channels(input) != channels;
  const int residual = reshapes ? shortcut(prefix, input, channels) : input;
  const int output =
      net.Convolution(prefix + "conv2", hidden, channels, 3, 1, kPadding1, Activation::kRelu);
  net.AddResidual(output, residual);
  return output;
}

// `stages` stages of basic blocks named "layer<stage>.<block>."; the first stage has `channels`,
// each further one twice as many at half the size. Gives the last tensor.
template <typename Shortcut>
int BasicStages(TopologyBuilder& net, int input, int stages, int blocks, int channels,
                const Shortcut& shortcut) {
  int x = input;
  for (int stage = 1; stage <= stages; ++stage, channels *= 2) {
    for (int block = 0; block < blocks; ++block) {
      const std::string prefix =
          "layer" + std::to_string(stage) + "." + std::to_string(block) + ".";
      const int stride = stage > 1 && block == 0 ? 2 : 1;
      x = BasicBlock(net, prefix, x, channels, stride, shortcut);
    }
  }
  return x;
}

enum class Shortcuts { kOptionA, kProjection };

Topology CifarResNet(std::string_view name, int blocks, Shortcuts shortcuts) {
  TopologyBuilder net(name, {32, 32, 3});
  const auto shortcut = [&](const std::string& prefix, int input, int channels) {
    if (shortcuts == Shortcuts::kOptionA)
      return net.Subsample(prefix + "shortcut", input, channels);
    return net.Convolution(prefix + "shortcut", input, channels, 1, 2, {}, Activation::kNone);
  };
  int x = net.Convolution("conv1", 0, 16, 3, 1, kPadding1, Activation::kRelu);
  x = BasicStages(net, x, 3, blocks, 16, shortcut);
  x = net.GlobalAveragePool("avgpool", x);
  net.FullyConnected("linear", x, 10);
  return std::move(net).Build();
}

Topology ResNet18() {
  TopologyBuilder net("resnet18", {224, 224, 3});
  const auto shortcut = [&net](const std::string& prefix, int input, int channels) {
    return net.Convolution(prefix + "downsample.0", input, channels, 1, 2, {}, Activation::kNone);
  };
  int x = net.Convolution("conv1", 0, 64, 7, 2, kPadding3, Activation::kRelu);
  x = net.Pool(OperationKind::kMaxPool, "maxpool", x, 3, 2, kPadding1);
  x = BasicStages(net, x, 4, 2, 64, shortcut);
  x = net.GlobalAveragePool("avgpool", x);
  net.FullyConnected("fc", x, 1000);
  return std::move(net).Build();
}

Topology MobileNetV1Quarter() {
  struct Pair {
    int channels;  // of the pointwise convolution
    int stride;    // of the depthwise convolution before it
  };
  constexpr Pair kPairs[] = {{16, 1},  {32, 2},  {32, 1},  {64, 2},  {64, 1},  {128, 2}, {128, 1},
                             {128, 1}, {128, 1}, {128, 1}, {128, 1}, {256, 2}, {256, 1}};
  TopologyBuilder net("mobilenet-v1-025", {96, 96, 3});
  int x = net.Convolution("conv2d", 0, 8, 3, 2, net.SamePadding(0, 3, 2), Activation::kRelu);
  int index = 0;
  for (const Pair& pair : kPairs) {
    const std::string suffix = index == 0 ? "" : "_" + std::to_string(index);
    const int channels = net.channels(x);
    x = net.Convolution("depthwise_conv2d" + suffix, x, channels, 3, pair.stride,
                        net.SamePadding(x, 3, pair.stride), Activation::kRelu, channels);
    ++index;
    x = net.Convolution("conv2d_" + std::to_string(index), x, pair.channels, 1, 1, {},
                        Activation::kRelu);
  }
  x = net.GlobalAveragePool("average_pooling2d", x);
  net.FullyConnected("dense", x, 2);
  return std::move(net).Build();
}

// Expands (unless `expansion` is 1), convolves depthwise, projects without activation; adds the
// input where shapes allow.
int InvertedResidual(TopologyBuilder& net, const std::string& prefix, int input, int expansion,
                     int channels, int stride) {
  const int hidden = net.channels(input) * expansion;
  int x = input;
  int part = 0;
  if (expansion > 1) {
    x = net.Convolution(prefix + "0.0", x, hidden, 1, 1, {}, Activation::kRelu6);
    part = 1;
  }
  x = net.Convolution(prefix + std::to_string(part) + ".0", x, hidden, 3, stride, kPadding1,
                      Activation::kRelu6, hidden);
  x = net.Convolution(prefix + std::to_string(part + 1), x, channels, 1, 1, {}, Activation::kNone);
  if (stride == 1 && net.channels(input) == channels) net.AddResidual(x, input);
  return x;
}

// Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2;
// layer names as in torchvision.
Topology MobileNetV2() {
  struct Stage {
    int expansion;
    int channels;
    int blocks;
    int stride;  // of its first block
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  TopologyBuilder net("mobilenet-v2", {224, 224, 3});
  int x = net.Convolution("features.0.0", 0, 32, 3, 2, kPadding1, Activation::kRelu6);
  int index = 1;
  for (const Stage& stage : kStages) {
    for (int block = 0; block < stage.blocks; ++block, ++index) {
      const std::string prefix = "features." + std::to_string(index) + ".conv.";
      x = InvertedResidual(net, prefix, x, stage.expansion, stage.channels,
                           block == 0 ? stage.stride : 1);
    }
  }
  x = net.Convolution("features.18.0", x, 1280, 1, 1, {}, Activation::kRelu6);
  x = net.GlobalAveragePool("avgpool", x);
  net.FullyConnected("classifier.1", x, 1000);
  return std::move(net).Build();
}

struct StandardNetwork {
  std::string_view name;
  Topology (*build)();
};

constexpr StandardNetwork kStandardNetworks[] = {
    {"resnet8", ResNet8},
    {"resnet20", [] { return CifarResNet("resnet20", 3, Shortcuts::kOptionA); }},
    {"resnet32", [] { return CifarResNet("resnet32", 5, Shortcuts::kOptionA); }},
    {"resnet44", [] { return CifarResNet("resnet44", 7, Shortcuts::kOptionA); }},
    {"resnet56", [] { return CifarResNet("resnet56", 9, Shortcuts::kOptionA); }},
    {"resnet20-proj", [] { return CifarResNet("resnet20-proj", 3, Shortcuts::kProjection); }},
    {"mobilenet-v1-025", MobileNetV1Quarter},
    {"mobilenet-v2", MobileNetV2},
    {"resnet18", ResNet18},
};

}  // namespace

std::vector<std::string> StandardNetworkNames() {
  std::vector<std::string> names;
  for (const StandardNetwork& network : kStandardNetworks) names.emplace_back(network.name);
  return names;
}

Result<Topology> StandardTopology(std::string_view name) {
  for (const StandardNetwork& network : kStandardNetworks) {
    if (network.name == name) return network.build();
  }
  return InvalidArgument("unknown network '" + std::string(name) +
                         "'; known networks: " + Joined(kStandardNetworks, &StandardNetwork::name));
}

}  // namespace bitpilot
