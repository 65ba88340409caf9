// On how many threads training and reading compute, and that our own loops give the same bits on any
// number of them.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/qat/channel_statistics.h"
#include "agent/qat/compute_threads.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/lsq_kernels.h"
#include "agent/qat/parallel_for.h"
#include "tests/agent/normal_values.h"
#include "tests/agent/sample_model.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

// Leaves the program as it was: other tests run in the same process.
class ThreadsTest : public testing::Test {
 protected:
  ~ThreadsTest() override { SetComputeThreads(before_); }

  // What `compute` gives on 1, 2 and 3 threads.
  template <typename Compute>
  static auto OnSeveralThreads(const Compute& compute) {
    std::vector<decltype(compute())> results;
    for (const int threads : {1, 2, 3}) {
      SetComputeThreads(threads);
      results.push_back(compute());
    }
    return results;
  }

 private:
  const int before_ = ComputeThreads();
};

TEST_F(ThreadsTest, TheNumberHoldsForLibTorchToo) {
  for (const int threads : {3, 1}) {
    SetComputeThreads(threads);
    EXPECT_EQ(ComputeThreads(), threads);
    EXPECT_EQ(torch::get_num_threads(), threads);
  }
}

TEST_F(ThreadsTest, ALoopCallsItsBodyOnceForEachIndex) {
  for (const int threads : {1, 2, 3}) {
    SetComputeThreads(threads);
    for (const std::size_t count : {0U, 1U, 2U, 7U, 100U}) {
      std::vector<int> calls(count);
      ParallelFor(count, [&](std::size_t i) { ++calls[i]; });
      EXPECT_EQ(calls, std::vector<int>(count, 1)) << threads << " threads";
    }
  }
}

TEST_F(ThreadsTest, ALoopRunsOnAsManyThreads) {
  for (const int threads : {1, 2, 3}) {
    SetComputeThreads(threads);
    std::vector<std::thread::id> ran_on(12);
    ParallelFor(ran_on.size(), [&](std::size_t i) { ran_on[i] = std::this_thread::get_id(); });
    const std::set<std::thread::id> different(ran_on.begin(), ran_on.end());
    EXPECT_EQ(different.size(), static_cast<std::size_t>(threads));
  }
}

// Rows enough for several threads' parts, the last one not full.
TEST_F(ThreadsTest, ChannelStatisticsDoNotDependOnTheirNumber) {
  constexpr std::size_t kChannels = 3;
  const std::vector<float> values = NormalValues(kChannels * (5 * 16'384 + 7), 1);
  const auto results = OnSeveralThreads([&] { return MeasureChannels(values, kChannels); });
  EXPECT_EQ(results[1], results[0]);
  EXPECT_EQ(results[2], results[0]);
}

TEST_F(ThreadsTest, FakeQuantizationDoesNotDependOnTheirNumber) {
  constexpr std::size_t kValues = 5 * 131'072 + 77;
  const std::vector<float> x = NormalValues(kValues, 2);
  const std::vector<float> dy = NormalValues(kValues, 3);
  for (const LevelRange& range : {WeightRange(1), WeightRange(4), ActivationRange(4, 3)}) {
    const auto forward = OnSeveralThreads([&] {
      std::vector<float> y(kValues);
      FakeQuantize(x.data(), y.data(), kValues, 0.2F, range);
      return y;
    });
    EXPECT_EQ(forward[1], forward[0]);
    EXPECT_EQ(forward[2], forward[0]);
    const auto backward = OnSeveralThreads([&] {
      std::vector<float> dx(kValues);
      const double ds = FakeQuantizeBackward(x.data(), dy.data(), dx.data(), kValues, 0.2F, range);
      return std::pair(ds, dx);
    });
    EXPECT_EQ(backward[1], backward[0]);
    EXPECT_EQ(backward[2], backward[0]);
  }
}

// More images than one call takes, and a number that no number of threads divides.
TEST_F(ThreadsTest, AnIntegerNetworksReadingDoesNotDependOnTheirNumber) {
  const Network network = SmallNetwork();
  ImageDataset images;
  images.name = "noise";
  images.shape = network.topology.input;
  std::mt19937_64 random(4);
  constexpr int kImages = 301;
  for (int i = 0; i < kImages * network.input_bytes(); ++i) {
    images.pixels.push_back(static_cast<std::uint8_t>(RandomInteger(random, 0, 255)));
  }
  for (int i = 0; i < kImages; ++i) {
    const int label = RandomInteger(random, 0, network.num_classes() - 1);
    images.labels.push_back(static_cast<std::uint8_t>(label));
  }
  const auto results = OnSeveralThreads([&] { return EvaluateInteger(network, images).value(); });
  ASSERT_EQ(results[0].losses.size(), static_cast<std::size_t>(kImages));
  for (const Evaluation& other : {results[1], results[2]}) {
    EXPECT_EQ(other.losses, results[0].losses);
    EXPECT_EQ(other.predictions, results[0].predictions);
    EXPECT_EQ(other.loss, results[0].loss);
    EXPECT_EQ(other.loss_error, results[0].loss_error);
    EXPECT_EQ(other.accuracy, results[0].accuracy);
  }
}

// LibTorch shares sums out among its threads: equal only where their number is.
TEST_F(ThreadsTest, TrainingOnTwoThreadsGivesTheSameBitsEachTime) {
  const auto train = [] {
    QuantizedModel model = MakeModel();
    SetComputeThreads(2);
    EXPECT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
    EXPECT_TRUE(model.Train(FewImages(), 3, SmallBatches()));
    return model.SaveCheckpoint();
  };
  const std::string first = train();
  EXPECT_TRUE(train() == first) << "the checkpoints differ";
}

}  // namespace
}  // namespace bitpilot
