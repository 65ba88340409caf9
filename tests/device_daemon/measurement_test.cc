// Real kernels, and a clock that the test controls.
#include "device_daemon/measurement/measurement.h"

#include <gtest/gtest.h>

#include <string>

#include "kernels/base/window_statistics.h"
#include "proto/validation.h"
#include "tests/device_daemon/fake_sysfs.h"
#include "tests/device_daemon/test_networks.h"

namespace bitpilot {
namespace {

// Every look at the wall clock costs 30 ms, so that one inference fills any window.
class TickingClock final : public MeasureClock {
 public:
  std::int64_t WallNs() override { return ns_ += 30'000'000; }
  std::int64_t ThreadCpuNs() override { return ns_; }

 private:
  std::int64_t ns_ = 0;
};

class MeasurementTest : public testing::Test {
 protected:
  MeasurementTest() {
    setup_.load = [this](std::string_view sha256) -> Result<Network> {
      for (const TestNetwork& one : networks_) {
        if (one.sha256 == sha256) return one.network;
      }
      return Status(StatusCode::kNotFound, "no such network");
    };
    request_.set_measure_id(std::string(kMeasureIdBytes, 'm'));
    request_.set_golden_pixels(pixels_);
    request_.mutable_spec()->set_tier(v1::MeasureSpec::SCREEN);
    for (const TestNetwork& one : networks_) {
      request_.add_network_sha256(one.sha256);
      request_.add_golden_logits(GoldenLogits(one.network, pixels_));
    }
  }

  v1::MeasureResult Run() {
    return Measure(request_, setup_, clock_, [](const Progress&) {});
  }

  const std::vector<TestNetwork> networks_{MakeTestNetwork(8, 1), MakeTestNetwork(4, 2)};
  const std::string pixels_ = RandomPixels(3 * 32 * 32, 5);
  MeasurementSetup setup_;
  v1::MeasureRequest request_;
  TickingClock clock_;
};

TEST_F(MeasurementTest, ReturnsEveryWindowAndTheirMedian) {
  Message message;
  *message.envelope.mutable_measure_result() = Run();
  const v1::MeasureResult& result = message.envelope.measure_result();
  ASSERT_TRUE(result.status() == v1::OK || result.status() == v1::NOISY) << result.detail();
  EXPECT_TRUE(ValidateReply(message).ok());
  EXPECT_EQ(result.source(), "measured");
  ASSERT_EQ(result.networks_size(), 2);
  for (int i = 0; i < 2; ++i) {
    const v1::NetworkMeasurement& network = result.networks(i);
    EXPECT_EQ(network.network_sha256(), networks_[i].sha256);
    EXPECT_EQ(network.window_ns_size(), 9);
    const std::vector<double> windows(network.window_ns().begin(), network.window_ns().end());
    EXPECT_DOUBLE_EQ(network.latency_median_ns(), Median(windows));
    EXPECT_EQ(network.kernels_size(), networks_[i].network.topology.num_operations());
    EXPECT_EQ(network.operations_size(), 0);
    EXPECT_FALSE(network.has_model_energy());
  }
}

// 64 networks from a slow card take longer than a worker may be silent.
TEST_F(MeasurementTest, ShowsASignOfLifeAfterEveryNetworkThatItLoads) {
  std::vector<std::string> history;
  setup_.load = [load = setup_.load, &history](std::string_view sha256) {
    history.emplace_back("load");
    return load(sha256);
  };
  Measure(request_, setup_, clock_, [&](const Progress& now) { history.emplace_back(now.phase); });
  ASSERT_GE(history.size(), 4U);
  history.resize(4);
  EXPECT_EQ(history, (std::vector<std::string>{"load", "loading", "load", "loading"}));
}

TEST_F(MeasurementTest, TimesOperationsWhenAsked) {
  request_.mutable_spec()->set_per_operation(true);
  const v1::MeasureResult result = Run();
  ASSERT_EQ(result.networks_size(), 2) << result.detail();
  const v1::NetworkMeasurement& network = result.networks(0);
  ASSERT_EQ(network.operations_size(), networks_[0].network.topology.num_operations());
  for (int i = 0; i < network.operations_size(); ++i) {
    EXPECT_EQ(network.operations(i).operation(), static_cast<std::uint32_t>(i));
    EXPECT_GE(network.operations(i).latency_median_ns(), 0.0);
  }
}

// One bit of one logit of the second network: nothing may be timed, not even the first network.
TEST_F(MeasurementTest, TimesNothingWhenOneOutputIsWrong) {
  (*request_.mutable_golden_logits(1))[4] ^= 1;
  const v1::MeasureResult result = Run();
  EXPECT_EQ(result.status(), v1::WRONG_OUTPUT);
  EXPECT_EQ(result.networks_size(), 0);
  EXPECT_NE(result.detail().find("network 1, logit 1"), std::string::npos) << result.detail();
}

// A board that is hot or throttled would choose kernels for what it is not.
TEST_F(MeasurementTest, ChoosesKernelsOnlyOnceTheBoardIsFit) {
  const FakeSysfs board;
  constexpr char throttle_file[] = "sys/devices/platform/soc/soc:firmware/get_throttled";
  board.Write(throttle_file, "0x4");
  BoardWatchOptions options;
  options.root = board.root();
  int pauses = 0;
  options.pause = [&pauses] { ++pauses; };
  options.canary = [this] { clock_.WallNs(); };  // takes 30 ms
  BoardWatch watch(std::move(options));
  KernelChoices choices("a core");
  setup_.watch = &watch;
  setup_.choices = &choices;
  EXPECT_EQ(Run().status(), v1::THERMAL_ABORT);
  EXPECT_GT(pauses, 0);
  EXPECT_EQ(choices.num_timed(), 0U);

  board.Write(throttle_file, "0x0");
  const v1::MeasureResult result = Run();
  ASSERT_TRUE(result.status() == v1::OK || result.status() == v1::NOISY) << result.detail();
  EXPECT_GT(choices.num_timed(), 0U);
  const std::string hash = result.conditions().kernel_choices();
  EXPECT_EQ(hash.size(), 12U);
  const std::size_t timed = choices.num_timed();
  EXPECT_EQ(Run().conditions().kernel_choices(), hash);
  EXPECT_EQ(choices.num_timed(), timed) << "within a lease nothing is timed again";
}

TEST_F(MeasurementTest, RejectsGoldenDataOfOtherSizes) {
  request_.set_golden_pixels("too short");
  EXPECT_EQ(Run().status(), v1::REJECTED);
  request_.set_golden_pixels(pixels_);
  request_.set_golden_logits(0, "1234");
  EXPECT_EQ(Run().status(), v1::REJECTED);
}

TEST_F(MeasurementTest, RejectsANetworkThatIsNotThere) {
  request_.set_network_sha256(0, std::string(kSha256Bytes, 'x'));
  EXPECT_EQ(Run().status(), v1::REJECTED);
}

TEST_F(MeasurementTest, ReportsAnInstructionSetThatTheCpuLacks) {
  if (CpuSupports(Isa::kAmx)) GTEST_SKIP() << "this CPU has every instruction set";
  setup_.isa = Isa::kAmx;
  EXPECT_EQ(Run().status(), v1::UNSUPPORTED);
}

// A table that charges bits: 10 ns a weight bit for each layer, 100 ns overhead, 1 energy unit a
// layer.
CostTable BitTable(const Topology& topology) {
  CostTable table;
  table.name = "bits";
  table.source = "measurement_test";
  table.energy_unit = "uJ-model";
  table.overhead_latency_ns = 100.0;
  for (const int layer : LayerOperations(topology)) {
    for (int bits = 1; bits <= 8; ++bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        table.operations[{topology.operations[layer].name, bits, activation_bits}] = {10.0 * bits,
                                                                                      1.0};
      }
    }
  }
  return table;
}

// ResNet-8 has 9 convolutions with 1x1 shortcuts and 1 fully connected layer, all at 8 bits: 100 +
// 10 x 80 ns.
TEST_F(MeasurementTest, AnswersFromACostTableInItsOwnName) {
  setup_.cost_table = BitTable(networks_[0].network.topology);
  request_.mutable_spec()->set_per_operation(true);
  const v1::MeasureResult result = Run();
  ASSERT_EQ(result.status(), v1::OK) << result.detail();
  EXPECT_EQ(result.source(), "MODEL:bits");
  const v1::NetworkMeasurement& network = result.networks(0);
  const auto num_layers =
      static_cast<double>(LayerOperations(networks_[0].network.topology).size());
  EXPECT_DOUBLE_EQ(network.latency_median_ns(), 100.0 + 80.0 * num_layers);
  EXPECT_DOUBLE_EQ(network.latency_low_ns(), network.latency_high_ns());
  for (const double window_ns : network.window_ns()) {
    EXPECT_DOUBLE_EQ(window_ns, network.latency_median_ns());
  }
  EXPECT_DOUBLE_EQ(network.model_energy(), num_layers);
  EXPECT_EQ(network.model_energy_unit(), "uJ-model");
  EXPECT_DOUBLE_EQ(network.operations(0).latency_median_ns(), 80.0);
  EXPECT_LT(result.networks(1).latency_median_ns(), network.latency_median_ns());
}

TEST_F(MeasurementTest, AModelTakesTheTimeThatItClaims) {
  setup_.cost_table = BitTable(networks_[0].network.topology);
  std::int64_t spent_ns = 0;
  setup_.spend_ns = [&](std::int64_t ns) { spent_ns += ns; };
  request_.mutable_spec()->set_tier(v1::MeasureSpec::SCREEN);
  const v1::MeasureResult result = Run();
  ASSERT_EQ(result.status(), v1::OK) << result.detail();
  double claimed_ns = 0.0;
  for (const v1::NetworkMeasurement& network : result.networks()) {
    for (const double mean_ns : network.window_ns())
      claimed_ns += mean_ns * network.inferences_per_window();
  }
  // Two networks in nine windows of 25 ms, each longer by less than the 900 ns of an inference.
  EXPECT_GE(claimed_ns, 2 * 9 * 25e6);
  EXPECT_LE(claimed_ns, 2 * 9 * (25e6 + 900.0));
  EXPECT_NEAR(static_cast<double>(spent_ns), claimed_ns, 100.0);
}

TEST_F(MeasurementTest, ASlowModelStillShowsSignsOfLife) {
  setup_.cost_table = BitTable(networks_[0].network.topology);
  setup_.cost_table->overhead_latency_ns = 60e9;  // a minute an inference
  std::int64_t longest_ns = 0;
  setup_.spend_ns = [&](std::int64_t ns) { longest_ns = std::max(longest_ns, ns); };
  ASSERT_EQ(Run().status(), v1::OK);
  EXPECT_LE(longest_ns, 500'000'000);
}

TEST_F(MeasurementTest, ChecksOutputsBeforeACostTableAnswers) {
  setup_.cost_table = BitTable(networks_[0].network.topology);
  (*request_.mutable_golden_logits(0))[0] ^= 1;
  EXPECT_EQ(Run().status(), v1::WRONG_OUTPUT);
}

TEST_F(MeasurementTest, NamesTheRowThatACostTableLacks) {
  setup_.cost_table = BitTable(networks_[0].network.topology);
  setup_.cost_table->operations.erase(setup_.cost_table->operations.begin(),
                                      std::prev(setup_.cost_table->operations.end()));
  const v1::MeasureResult result = Run();
  EXPECT_EQ(result.status(), v1::UNSUPPORTED);
  EXPECT_NE(result.detail().find("has no row"), std::string::npos) << result.detail();
}

}  // namespace
}  // namespace bitpilot
