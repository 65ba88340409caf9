// The shipped MPIC tables against the figures published for the model, and against the networks'
// shapes. Rows are summed directly: a candidate's image always has 8 bits, the published uniform
// networks' does not.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/base/cost_table.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/topology.h"

namespace bitpilot {
namespace {

constexpr double kClockHz = 250e6;

struct Figure {
  int weight_bits;
  int activation_bits;
  double megacycles;
  double microjoules;
};

CostTable ReadMpic(const std::string& network) {
  std::string path = BITPILOT_SOURCE_DIR;
  path.append("/experiments/boards/mpic_").append(network).append(".cost");
  const Result<CostTable> table = ReadCostTableFile(path);
  EXPECT_TRUE(table.ok()) << table.status().message();
  return table.ok() ? *table : CostTable();
}

void ExpectFigures(const std::string& network, const std::vector<Figure>& figures) {
  const CostTable table = ReadMpic(network);
  EXPECT_EQ(table.energy_unit, "uJ-model");
  for (const Figure& figure : figures) {
    double latency_ns = 0.0;
    double energy = 0.0;
    for (const auto& [key, cost] : table.operations) {
      if (std::get<1>(key) != figure.weight_bits || std::get<2>(key) != figure.activation_bits) {
        continue;
      }
      latency_ns += cost.latency_ns;
      ASSERT_TRUE(cost.energy.has_value());
      energy += *cost.energy;
    }
    // Half a unit of the published figures' last digits.
    EXPECT_NEAR(latency_ns * 1e-9 * kClockHz * 1e-6, figure.megacycles, 0.0005001)
        << network << " w" << figure.weight_bits << "a" << figure.activation_bits;
    EXPECT_NEAR(energy, figure.microjoules, 0.05001)
        << network << " w" << figure.weight_bits << "a" << figure.activation_bits;
  }
}

TEST(MpicTableTest, GivesThePublishedFiguresOfResNet8) {
  ExpectFigures("resnet8", {{8, 8, 5.953, 128.2},
                            {4, 8, 5.435, 117.0},
                            {2, 8, 5.001, 107.7},
                            {4, 4, 3.572, 76.9},
                            {2, 2, 1.923, 41.4}});
}

TEST(MpicTableTest, GivesThePublishedFiguresOfDsCnn) {
  ExpectFigures("ds_cnn", {{8, 8, 1.265, 27.2},
                           {4, 8, 1.155, 24.9},
                           {2, 8, 1.063, 22.9},
                           {4, 4, 0.759, 16.3},
                           {2, 2, 0.409, 8.8}});
}

TEST(MpicTableTest, GivesThePublishedFiguresOfMobileNetV1) {
  ExpectFigures("mobilenet_v1_025", {{8, 8, 3.567, 76.8},
                                     {4, 8, 3.256, 70.1},
                                     {2, 8, 2.996, 64.5},
                                     {4, 4, 2.140, 46.1},
                                     {2, 2, 1.152, 24.8}});
}

TEST(MpicTableTest, GivesThePublishedFiguresOfTheAutoencoder) {
  ExpectFigures("autoencoder", {{8, 8, 0.126, 2.7},
                                {4, 8, 0.115, 2.5},
                                {2, 8, 0.106, 2.3},
                                {4, 4, 0.075, 1.6},
                                {2, 2, 0.041, 0.9}});
}

// Cycles of w8a8 are MACs / 2.1.
void ExpectRowsOfLayers(const std::string& network, const Topology& topology) {
  const CostTable table = ReadMpic(network);
  std::size_t layers = 0;
  for (int i = 0; i < topology.num_operations(); ++i) {
    const Operation& op = topology.operations[static_cast<std::size_t>(i)];
    if (op.kind != OperationKind::kConvolution && op.kind != OperationKind::kFullyConnected)
      continue;
    ++layers;
    const auto row = table.operations.find({op.name, 8, 8});
    ASSERT_NE(row, table.operations.end()) << op.name;
    const double expected_ns = static_cast<double>(Macs(topology, i)) / 2.1 / kClockHz * 1e9;
    EXPECT_NEAR(row->second.latency_ns / expected_ns, 1.0, 1e-9) << op.name;
  }
  EXPECT_EQ(table.operations.size(), 9 * layers);
}

TEST(MpicTableTest, AnswersForCandidatesWhoseImageHasEightBits) {
  const CostTable table = ReadMpic("resnet8");
  const Topology topology = *StandardTopology("resnet8");
  const Result<Cost> cost = PredictCost(table, topology, UniformAssignment(topology, 4, 4, true));
  ASSERT_TRUE(cost.ok()) << cost.status().message();
  // The first layer's 442,368 MACs at w4a8, the other 12,059,264 at w4a4.
  EXPECT_NEAR(cost->latency_ns, (442'368 / 2.3 + 12'059'264 / 3.5) * 4.0, 1e-2);
  ASSERT_TRUE(cost->energy.has_value());
}

TEST(MpicTableTest, HasTheLayersOfTheNetworksThatCanBeSearched) {
  ExpectRowsOfLayers("resnet8", *StandardTopology("resnet8"));
  ExpectRowsOfLayers("resnet20", *StandardTopology("resnet20"));
  ExpectRowsOfLayers("mobilenet_v1_025", *StandardTopology("mobilenet-v1-025"));
}

Operation Layer(OperationKind kind, const std::string& name, int input, int out_channels) {
  Operation op;
  op.kind = kind;
  op.name = name;
  op.input = input;
  op.out_channels = out_channels;
  return op;
}

// MLPerf Tiny keyword spotting: 49x10 MFCC, 10x4 filters with stride 2, four separable blocks of 64
// channels.
Topology DsCnn() {
  Topology topology;
  topology.name = "ds_cnn";
  topology.input = {49, 10, 1};
  Operation first = Layer(OperationKind::kConvolution, "conv1", 0, 64);
  first.kernel_h = 10;
  first.kernel_w = 4;
  first.stride_h = first.stride_w = 2;
  first.padding = {4, 1, 5, 1};
  topology.operations.push_back(first);
  for (int block = 1; block <= 4; ++block) {
    Operation depthwise = Layer(OperationKind::kConvolution, "depthwise" + std::to_string(block),
                                topology.num_operations(), 64);
    depthwise.kernel_h = depthwise.kernel_w = 3;
    depthwise.padding = {1, 1, 1, 1};
    depthwise.groups = 64;
    topology.operations.push_back(depthwise);
    topology.operations.push_back(Layer(OperationKind::kConvolution,
                                        "pointwise" + std::to_string(block),
                                        topology.num_operations(), 64));
  }
  Operation pool = Layer(OperationKind::kAveragePool, "pool", topology.num_operations(), 64);
  pool.kernel_h = 25;
  pool.kernel_w = 5;
  topology.operations.push_back(pool);
  topology.operations.push_back(
      Layer(OperationKind::kFullyConnected, "dense", topology.num_operations(), 12));
  return topology;
}

// MLPerf Tiny anomaly detection: 640-128-128-128-128-8-128-128-128-128-640.
Topology Autoencoder() {
  Topology topology;
  topology.name = "autoencoder";
  topology.input = {1, 1, 640};
  for (const int width : {128, 128, 128, 128, 8, 128, 128, 128, 128, 640}) {
    const int index = topology.num_operations();
    topology.operations.push_back(
        Layer(OperationKind::kFullyConnected, "dense" + std::to_string(index + 1), index, width));
  }
  return topology;
}

TEST(MpicTableTest, HasTheLayersOfMlperfTinysOtherShapes) {
  ExpectRowsOfLayers("ds_cnn", DsCnn());
  ExpectRowsOfLayers("autoencoder", Autoencoder());
}

}  // namespace
}  // namespace bitpilot
