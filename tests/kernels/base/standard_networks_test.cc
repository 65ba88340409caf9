#include "kernels/base/standard_networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Expectation {
  const char* name;
  std::int64_t weights;
  std::int64_t macs;
};

void PrintTo(const Expectation& expected, std::ostream* out) { *out << expected.name; }

class StandardTopologyTest : public ::testing::TestWithParam<Expectation> {};

// Weights: published parameter counts less batch norm and biases, e.g. torchvision's resnet18 has
// 11,689,512 - 9,600 - 1,000. MACs: resnet8's by hand: 442,368 (conv2d) + 2 * 2,359,296 + 1,179,648
// + 2,359,296 + 131,072 (stack 2)
// + 1,179,648 + 2,359,296 + 131,072 (stack 3) + 640 = 12,501,632; the others agree with the counts
// that their papers and torchvision give (in millions: 40.8 with projections, 300.8, 1814).
INSTANTIATE_TEST_SUITE_P(Networks, StandardTopologyTest,
                         ::testing::Values(Expectation{"resnet8", 77'360, 12'501'632},
                                           Expectation{"resnet20", 268'336, 40'551'040},
                                           Expectation{"resnet32", 461'872, 68'862'592},
                                           Expectation{"resnet44", 655'408, 97'174'144},
                                           Expectation{"resnet56", 848'944, 125'485'696},
                                           Expectation{"resnet20-proj", 270'896, 40'813'184},
                                           Expectation{"mobilenet-v1-025", 208'112, 7'489'664},
                                           Expectation{"mobilenet-v2", 3'469'760, 300'774'272},
                                           Expectation{"resnet18", 11'678'912, 1'814'073'344}),
                         [](const auto& test) { return TestName(test.param.name); });

TEST_P(StandardTopologyTest, IsValidWithThePublishedWeightsAndMacs) {
  const Result<Topology> topology = StandardTopology(GetParam().name);
  ASSERT_TRUE(topology.ok()) << topology.status().message();
  EXPECT_EQ(topology->name, GetParam().name);
  const Status valid = ValidateTopology(*topology);
  ASSERT_TRUE(valid.ok()) << valid.message();
  std::int64_t weights = 0;
  std::int64_t macs = 0;
  for (const int layer : LayerOperations(*topology)) {
    weights += WeightDepth(*topology, layer) *
               topology->operations[static_cast<std::size_t>(layer)].out_channels;
    macs += Macs(*topology, layer);
  }
  EXPECT_EQ(weights, GetParam().weights);
  EXPECT_EQ(macs, GetParam().macs);
}

TEST(StandardNetworkNamesTest, AreTheOnesThatAreTested) {
  EXPECT_THAT(StandardNetworkNames(),
              ElementsAre("resnet8", "resnet20", "resnet32", "resnet44", "resnet56",
                          "resnet20-proj", "mobilenet-v1-025", "mobilenet-v2", "resnet18"));
}

TEST(StandardNetworkNamesTest, AreListedWhenANameIsUnknown) {
  const Status status = StandardTopology("resnet21").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("unknown network 'resnet21'"));
  EXPECT_THAT(status.message(), HasSubstr("resnet8, resnet20, "));
}

std::vector<std::string> Names(const Topology& topology) {
  std::vector<std::string> names;
  for (const Operation& op : topology.operations) names.push_back(op.name);
  return names;
}

const Operation& Find(const Topology& topology, std::string_view name) {
  for (const Operation& op : topology.operations) {
    if (op.name == name) return op;
  }
  ADD_FAILURE() << "no operation " << name;
  return topology.operations[0];
}

TEST(ResNet8Test, PutsShortcutsBeforeTheConvolutionThatAddsThem) {
  const Topology topology = *StandardTopology("resnet8");
  EXPECT_THAT(Names(topology),
              ElementsAre("conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "conv2d_5", "conv2d_4",
                          "conv2d_6", "conv2d_8", "conv2d_7", "average_pooling2d", "dense"));
  EXPECT_EQ(TensorName(topology, Find(topology, "conv2d_2").residual), "conv2d");
  EXPECT_EQ(TensorName(topology, Find(topology, "conv2d_4").residual), "conv2d_5");
  EXPECT_EQ(TensorName(topology, Find(topology, "conv2d_5").input), "conv2d_2");
  EXPECT_EQ(Find(topology, "conv2d_5").activation, Activation::kNone);
  EXPECT_EQ(Find(topology, "conv2d_4").activation, Activation::kRelu);
}

TEST(ResNet8Test, PadsLikeTensorFlow) {
  const Topology topology = *StandardTopology("resnet8");
  EXPECT_EQ(Find(topology, "conv2d_1").padding, (Padding{1, 1, 1, 1}));
  // 32 -> 16 at stride 2: 15 * 2 + 3 - 32 = 1 pixel in all, at the bottom and right.
  EXPECT_EQ(Find(topology, "conv2d_3").padding, (Padding{0, 0, 1, 1}));
  EXPECT_EQ(Find(topology, "conv2d_5").padding, (Padding{}));
}

TEST(ResNet20Test, SubsamplesWhereAStageBegins) {
  const Topology topology = *StandardTopology("resnet20");
  const Operation& shortcut = Find(topology, "layer2.0.shortcut");
  EXPECT_EQ(shortcut.kind, OperationKind::kSubsample);
  EXPECT_EQ(TensorName(topology, shortcut.input), "layer1.2.conv2");
  EXPECT_EQ(shortcut.pad_channels_before, 8);  // A quarter of 32 on each side of 16.
  EXPECT_EQ(shortcut.out_channels, 32);
  EXPECT_EQ(TensorName(topology, Find(topology, "layer2.0.conv2").residual), "layer2.0.shortcut");
  EXPECT_EQ(TensorName(topology, Find(topology, "layer2.1.conv2").residual), "layer2.0.conv2");
  EXPECT_EQ(TensorShapes(topology)[22], (TensorShape{1, 1, 64}));
}

TEST(ResNet20Test, ProjectsInTheVariantForBenchmarks) {
  const Topology topology = *StandardTopology("resnet20-proj");
  EXPECT_EQ(Find(topology, "layer3.0.shortcut").kind, OperationKind::kConvolution);
  EXPECT_EQ(LayerOperations(topology).size(), 22U);
}

TEST(MobileNetV2Test, AddsOnlyBetweenEqualShapesAndWithoutActivation) {
  const Topology topology = *StandardTopology("mobilenet-v2");
  int residuals = 0;
  for (const Operation& op : topology.operations) {
    if (op.residual < 0) continue;
    ++residuals;
    EXPECT_EQ(op.activation, Activation::kNone) << op.name;
  }
  EXPECT_EQ(residuals, 10);  // Sum of (blocks - 1) over the stages: 0 + 1 + 2 + 3 + 2 + 2 + 0.
  EXPECT_EQ(TensorName(topology, Find(topology, "features.3.conv.2").residual),
            "features.2.conv.2");
}

TEST(ResNet18Test, HasTheStemOfThePaper) {
  const Topology topology = *StandardTopology("resnet18");
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  EXPECT_EQ(shapes[1], (TensorShape{112, 112, 64}));
  EXPECT_EQ(shapes[2], (TensorShape{56, 56, 64}));
  EXPECT_EQ(Find(topology, "maxpool").kind, OperationKind::kMaxPool);
}

struct PublishedModel {
  const char* network;
  const char* file;
};

class PublishedLayersTest : public ::testing::TestWithParam<PublishedModel> {};

INSTANTIATE_TEST_SUITE_P(
    Models, PublishedLayersTest,
    ::testing::Values(PublishedModel{"resnet8", "mlperf_tiny/models/ic_resnet8"},
                      PublishedModel{"mobilenet-v1-025", "mlperf_tiny/models/vww_mobilenetv1_025"},
                      PublishedModel{"mobilenet-v2", "imagenet_models/mobilenetv2_100_224"}),
    [](const auto& test) { return TestName(test.param.network); });

// Every convolution and dense layer of the published description has its name, window and stride
// here; there are no others.
TEST_P(PublishedLayersTest, HaveTheSameNamesWindowsAndStrides) {
  const std::string path =
      std::string(BITPILOT_SOURCE_DIR "/../shared/data/") + GetParam().file + ".layers.json";
  std::ifstream file(path);
  if (!file) GTEST_SKIP() << "needs the published layers: " << path << " is missing";
  const nlohmann::json model = nlohmann::json::parse(file);
  const Topology topology = *StandardTopology(GetParam().network);
  using Pair = std::pair<int, int>;  // height, width
  std::size_t num_layers = 0;
  for (const nlohmann::json& layer : model.at("layers")) {
    const std::string kind = layer.at("op");
    if (kind != "Conv2D" && kind != "DepthwiseConv2D" && kind != "Dense") continue;
    ++num_layers;
    const Operation& op = Find(topology, layer.at("name").get<std::string>());
    EXPECT_EQ(op.kind == OperationKind::kFullyConnected, kind == "Dense") << op.name;
    if (kind == "Dense") continue;
    EXPECT_EQ(layer.at("kernel").get<Pair>(), Pair(op.kernel_h, op.kernel_w)) << op.name;
    EXPECT_EQ(layer.at("stride").get<Pair>(), Pair(op.stride_h, op.stride_w)) << op.name;
    EXPECT_EQ(op.groups == op.out_channels, kind == "DepthwiseConv2D") << op.name;
    EXPECT_EQ(op.activation == Activation::kRelu6, layer.value("activation", "") == "relu6")
        << op.name;
  }
  EXPECT_EQ(LayerOperations(topology).size(), num_layers);
}

}  // namespace
}  // namespace bitpilot
