#include "agent/profile/build_lut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "agent/fleet/board_conditions.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

constexpr double kTimerNs = 250.0;  // what timing an operation adds

// A board whose operations take times of their own: what a profile of it must find. Layers of equal
// shape take equal times.
double TrueNs(const Topology& topology, int operation, int weights, int activations) {
  const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
  if (!HasWeights(op)) return 700.0;
  const double size = 1e-3 * static_cast<double>(Macs(topology, operation));
  return size * (4.0 + weights * activations % 7) + (op.residual >= 0 ? 300.0 : 0.0);
}

std::vector<double> TrueTimes(const Topology& topology, const BitAssignment& assignment) {
  std::vector<double> times;
  std::size_t layer = 0;
  for (int i = 0; i < topology.num_operations(); ++i) {
    const Operation& op = topology.operations[static_cast<std::size_t>(i)];
    const int weights = HasWeights(op) ? assignment.weight_bits[layer++].front().bits : 0;
    times.push_back(TrueNs(topology, i, weights,
                           assignment.activation_bits[static_cast<std::size_t>(op.input)]));
  }
  return times;
}

double Total(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// The network on a machine that is `slowness` times slower at the moment.
ProfileSample SampleOf(const Topology& topology, const BitAssignment& assignment, double slowness,
                       double uniform8_ns) {
  const std::vector<double> times = TrueTimes(topology, assignment);
  ProfileSample sample;
  sample.cpu_ns = slowness * Total(times);
  sample.latency_ns = sample.cpu_ns;
  sample.ratio = sample.ratio_low = sample.ratio_high = Total(times) / uniform8_ns;
  for (const double ns : times) sample.operation_ns.push_back(slowness * ns + kTimerNs);
  sample.kernels.assign(times.size(), "kernel");
  return sample;
}

struct Profiled {
  Topology topology;
  ProfilePlan plan;
  ProfileData data;
};

// A profile of that board, which is up to twice as slow in some jobs as in others.
Profiled ProfileTheBoard(const std::string& model, const std::vector<int>& bits,
                         bool bounded = false) {
  Profiled profiled;
  profiled.topology = StandardTopology(model).value();
  profiled.data.settings = {model, bits, true, bounded};
  profiled.data.source = "measured";
  profiled.data.board.isa = "scalar";
  profiled.plan = MakeProfilePlan(profiled.topology, profiled.data.settings);
  const BitAssignment uniform8 = UniformAssignment(profiled.topology, 8, 8, true);
  const double uniform8_ns = Total(TrueTimes(profiled.topology, uniform8));
  int job_number = 0;
  for (const ProfileJob& job : profiled.plan.jobs) {
    // The median job is exactly at speed 1, which fixes the table's scale.
    const double slowness = job_number++ % 2 == 0 ? 1.0 : 1.0 + 0.125 * (job_number % 8);
    ProfileJobResult result;
    result.uniform8 = SampleOf(profiled.topology, uniform8, slowness, uniform8_ns);
    result.noisy = slowness > 1.0;
    for (const BitAssignment& assignment : job.assignments)
      result.samples.push_back(SampleOf(profiled.topology, assignment, slowness, uniform8_ns));
    profiled.data.results.push_back(std::move(result));
  }
  return profiled;
}

TEST(BuildLutTest, FindsEveryOperationsTimeWhateverTheMachinesSpeed) {
  const Profiled profiled = ProfileTheBoard("resnet20", {2, 3, 4, 5, 6, 7, 8});
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  // 7 pairs of the first layer, 49 of the others, 3 operations without weights.
  EXPECT_EQ(lut->entries.size(), 7u + 19u * 49u + 3u);
  for (const LutEntry& entry : lut->entries) {
    const auto& operations = profiled.topology.operations;
    const auto op = std::find_if(operations.begin(), operations.end(),
                                 [&](const Operation& o) { return o.name == entry.operation; });
    ASSERT_NE(op, operations.end());
    const double truth = TrueNs(profiled.topology, static_cast<int>(op - operations.begin()),
                                entry.weight_bits, entry.activation_bits);
    EXPECT_NEAR(entry.latency_ns, truth, 1e-3) << entry.operation;
    EXPECT_NEAR(entry.latency_low_ns, truth, 1e-3);
    EXPECT_NEAR(entry.latency_high_ns, truth, 1e-3);
  }
}

TEST(BuildLutTest, CountsCpuTimeWhereEverythingWasDisturbed) {
  Profiled profiled = ProfileTheBoard("resnet8", {4, 8});
  const auto quiet = BuildLut(profiled.topology, profiled.plan, profiled.data).value();
  EXPECT_EQ(quiet.reference_clock, "wall");
  EXPECT_EQ(quiet.fingerprint, FingerprintOf(profiled.data.board));
  for (ProfileJobResult& result : profiled.data.results) {
    result.noisy = true;
    result.uniform8.latency_ns *= 7.0;  // the CPU was elsewhere
    result.uniform8.cpu_ns = quiet.reference_ns;
  }
  const auto disturbed = BuildLut(profiled.topology, profiled.plan, profiled.data).value();
  EXPECT_EQ(disturbed.reference_clock, "thread CPU");
  EXPECT_DOUBLE_EQ(disturbed.reference_ns, quiet.reference_ns);
}

// Operations that seem to take longer than the network do not leave a layer without a time.
TEST(BuildLutTest, NoLayerIsFreeInADisturbedProfile) {
  Profiled profiled = ProfileTheBoard("resnet8", {4, 8});
  for (ProfileJobResult& result : profiled.data.results) {
    result.uniform8.cpu_ns *= 0.5;
    for (ProfileSample& sample : result.samples) sample.cpu_ns *= 0.5;
  }
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  for (const LutEntry& entry : lut->entries) EXPECT_GT(entry.latency_ns, 0.0) << entry.operation;
}

TEST(BuildLutTest, PredictsNetworksThatItWasNotMadeFrom) {
  const Profiled profiled = ProfileTheBoard("resnet20", {2, 4, 8});
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  EXPECT_EQ(lut->checks.size(), 21u);
  EXPECT_LT(lut->prediction_error_worst(), 1e-6);
}

TEST(BuildLutTest, ReportsTheErrorWhereTimesDoNotAddUp) {
  Profiled profiled = ProfileTheBoard("resnet8", {4, 8});
  // Every check takes 20 % longer than its operations say: predicted / measured = 1 / 1.2.
  for (std::size_t j = 0; j < profiled.plan.jobs.size(); ++j) {
    if (!profiled.plan.jobs[j].is_check) continue;
    for (ProfileSample& sample : profiled.data.results[j].samples) sample.ratio *= 1.2;
  }
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  EXPECT_NEAR(lut->prediction_error_median(), 1.0 / 6.0, 1e-6);
  EXPECT_NEAR(lut->prediction_error_worst(), 1.0 / 6.0, 1e-6);
}

TEST(BuildLutTest, LayersOfEqualShapeShareTheirSamples) {
  const Profiled profiled = ProfileTheBoard("resnet20", {2, 4, 8});
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  // Ten squares, each of which meets a pair once a layer. The first convolutions of the three
  // blocks of stage 1 are alike; that of stage 2 has a shape of its own.
  for (const LutEntry& entry : lut->entries) {
    if (entry.weight_bits != 4 || entry.activation_bits != 2) continue;
    if (entry.operation == "layer1.1.conv1") {
      EXPECT_EQ(entry.samples, 30);
    }
    if (entry.operation == "layer2.0.conv1") {
      EXPECT_EQ(entry.samples, 10);
    }
    EXPECT_EQ(entry.kernel, "kernel");
    EXPECT_FALSE(entry.energy_uj.has_value());
    EXPECT_EQ(entry.energy_source, "NONE");
  }
}

// Layers that were not met at a pair take the samples of those of their shape.
TEST(BuildLutTest, ABoundedProfileMayEndAfterAnyJob) {
  Profiled profiled = ProfileTheBoard("resnet20", {2, 4, 8}, /*bounded=*/true);
  while (!profiled.data.results.empty()) {
    const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
    ASSERT_TRUE(lut.ok()) << lut.status().message();
    EXPECT_TRUE(lut->checks.empty());
    // Even the first job meets every layer at every width.
    EXPECT_GE(lut->entries.size(), 20U * 3U + 3U);
    for (const LutEntry& entry : lut->entries) EXPECT_GT(entry.latency_ns, 0.0);
    EXPECT_NE(ToCostTable(*lut).source.find("not compared with whole networks"), std::string::npos);
    profiled.data.results.pop_back();
  }
  EXPECT_FALSE(BuildLut(profiled.topology, profiled.plan, profiled.data).ok());
}

TEST(BuildLutTest, CountsWeightBytes) {
  const Profiled profiled = ProfileTheBoard("resnet20", {3, 8});
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  for (const LutEntry& entry : lut->entries) {
    // 3 x 3 x 16 x 16 weights of 3 bits are 864 bytes.
    if (entry.operation == "layer1.0.conv1" && entry.weight_bits == 3) {
      EXPECT_EQ(entry.weight_bytes, 864);
    }
    if (entry.operation == "avgpool") {
      EXPECT_EQ(entry.weight_bytes, 0);
    }
  }
}

TEST(BuildLutTest, TakesTheReferenceFromUndisturbedMeasurements) {
  const Profiled profiled = ProfileTheBoard("resnet8", {4, 8});
  const auto lut = BuildLut(profiled.topology, profiled.plan, profiled.data);
  ASSERT_TRUE(lut.ok()) << lut.status().message();
  const BitAssignment uniform8 = UniformAssignment(profiled.topology, 8, 8, true);
  EXPECT_NEAR(lut->reference_high_ns, Total(TrueTimes(profiled.topology, uniform8)), 1e-3);
  EXPECT_GT(lut->disturbed, 0);
}

TEST(BuildLutTest, RefusesResultsThatDoNotFitThePlan) {
  Profiled profiled = ProfileTheBoard("resnet8", {4, 8});
  const auto refuses = [&](const ProfileData& data) {
    const auto lut = BuildLut(profiled.topology, profiled.plan, data);
    return !lut.ok() && lut.status().code() == StatusCode::kDataCorrupt;
  };
  ProfileData data = profiled.data;
  data.results.pop_back();
  EXPECT_TRUE(refuses(data));
  data = profiled.data;
  data.results.front().samples.pop_back();
  EXPECT_TRUE(refuses(data));
  data = profiled.data;
  data.results.front().samples.front().operation_ns.clear();  // a board that does not time them
  EXPECT_TRUE(refuses(data));
  data = profiled.data;
  data.results.front().uniform8.kernels.pop_back();
  EXPECT_TRUE(refuses(data));
}

}  // namespace
}  // namespace bitpilot
