#include "kernels/runtime/threads_tuner.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/base/standard_networks.h"
#include "kernels/compiled_network.h"
#include "kernels/reference.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

// Two ways to run a network, on a clock that only they advance.
class ThreadsTunerTest : public testing::Test {
 protected:
  bool IsFasterByOne(std::int64_t all_threads_ns, std::int64_t one_thread_ns) {
    const auto run = [this](std::int64_t ns) {
      return [this, ns] {
        now_ns_ += ns;
        ++runs_;
      };
    };
    runs_ = 0;
    return IsFasterByOneThread(
        "key", run(all_threads_ns), run(one_thread_ns), [this] { return now_ns_; }, choices_);
  }

  KernelChoices choices_;
  std::int64_t now_ns_ = 0;
  int runs_ = 0;
};

TEST_F(ThreadsTunerTest, TakesOneThreadWhereItIsClearlyFaster) {
  EXPECT_TRUE(IsFasterByOne(/*all_threads_ns=*/20'000, /*one_thread_ns=*/19'000));
}

TEST_F(ThreadsTunerTest, TakesAllThreadsOtherwise) {
  EXPECT_FALSE(IsFasterByOne(/*all_threads_ns=*/20'000, /*one_thread_ns=*/19'800));
}

TEST_F(ThreadsTunerTest, RemembersWhatItFound) {
  EXPECT_TRUE(IsFasterByOne(20'000, 10'000));
  EXPECT_GT(runs_, 0);
  EXPECT_TRUE(IsFasterByOne(10'000, 20'000));
  EXPECT_EQ(runs_, 0);
  EXPECT_NE(choices_.UsedToText().find("key\tone_thread"), std::string::npos);
}

// By a margin of 1 %: another lease looks again, and keeps what is in force unless it is clearly
// slower.
TEST_F(ThreadsTunerTest, LooksAgainInTheNextLeaseWhereItWasNotSure) {
  choices_.BeginLease("first");
  EXPECT_FALSE(IsFasterByOne(20'000, 20'200));
  choices_.BeginLease("second");
  EXPECT_FALSE(IsFasterByOne(20'000, 19'900));
  EXPECT_GT(runs_, 0);
  choices_.BeginLease("third");
  EXPECT_TRUE(IsFasterByOne(20'000, 19'000));
  choices_.BeginLease("fourth");
  EXPECT_TRUE(IsFasterByOne(19'000, 19'200));
}

Network Resnet8(int weight_bits) {
  const Topology topology = StandardTopology("resnet8").value();
  return RandomNetwork(topology, UniformAssignment(topology, weight_bits, 8), /*seed=*/1);
}

TEST(NetworkThreadsKeyTest, TellsNetworksLevelsAndThreadsApart) {
  const std::string key = NetworkThreadsKey(Resnet8(8), Isa::kScalar, 2);
  EXPECT_NE(NetworkThreadsKey(Resnet8(4), Isa::kScalar, 2), key);
  EXPECT_NE(NetworkThreadsKey(Resnet8(8), Isa::kSse4, 2), key);
  EXPECT_NE(NetworkThreadsKey(Resnet8(8), Isa::kScalar, 3), key);
  Network deeper = Resnet8(8);
  deeper.topology.operations[1].stride_h = 2;
  EXPECT_NE(NetworkThreadsKey(deeper, Isa::kScalar, 2), key);
  EXPECT_EQ(NetworkThreadsKey(Resnet8(8), Isa::kScalar, 2), key);
}

// Whatever timing finds, logits stay the same, and the choice is used.
TEST(CompiledNetworkThreadsTest, NotesHowManyThreadsANetworkHas) {
  const Network network = Resnet8(8);
  const std::unique_ptr<ThreadPool> pool = ThreadPool::Create({.num_threads = 2}).value();
  KernelChoices choices;
  CompiledNetwork compiled =
      CompiledNetwork::Create(network,
                              {.isa = Isa::kScalar, .choices = &choices, .pool = pool.get()})
          .value();
  const std::string key = NetworkThreadsKey(network, Isa::kScalar, 2);
  ASSERT_NE(choices.Find(key), nullptr);
  EXPECT_EQ(choices.Find(key)->kernel, compiled.num_threads() == 2 ? "all_threads" : "one_thread");
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()), 77);
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  compiled.Run(pixels, logits);
  EXPECT_EQ(logits, RunReference(network, pixels));
}

// A choice of one thread holds: of a class, or remembered.
TEST(CompiledNetworkThreadsTest, RunsByOneThreadWhereThatIsTheChoice) {
  const Network network = Resnet8(8);
  const std::unique_ptr<ThreadPool> pool = ThreadPool::Create({.num_threads = 2}).value();
  const std::string key = NetworkThreadsKey(network, Isa::kScalar, 2);
  for (const bool one : {false, true}) {
    KernelChoices choices;
    choices.Remember(key, one ? "one_thread" : "all_threads", /*margin=*/1.0);
    EXPECT_EQ(CompiledNetwork::Create(
                  network, {.isa = Isa::kScalar, .choices = &choices, .pool = pool.get()})
                  .value()
                  .num_threads(),
              one ? 1 : 2);
  }
}

}  // namespace
}  // namespace bitpilot
