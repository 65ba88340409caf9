#include "agent/fleet/golden_logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/compiled_network.h"
#include "kernels/reference.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

Network NetworkOf(std::uint64_t seed) {
  const Topology topology = EveryOperationTopology();
  return RandomNetwork(topology, RandomAssignment(topology, seed), seed);
}

// Counts what is computed how, and can be made to compute falsely.
class GoldenLogitsTest : public testing::Test {
 protected:
  GoldenLogits Make() {
    GoldenLogits::Means means = GoldenLogits::Means::OfThisMachine();
    const auto kernels = means.kernels;
    means.kernels = [this, kernels](const Network& network, std::span<const std::uint8_t> image,
                                    Isa isa) {
      ++kernel_runs_[isa];
      Result<std::vector<float>> logits = kernels(network, image, isa);
      if (kernels_are_wrong_) logits->front() += 1.0F;
      return logits;
    };
    means.reference = [this](const Network& network, std::span<const std::uint8_t> image) {
      ++reference_runs_;
      return RunReference(network, image);
    };
    return GoldenLogits([this](const std::string& text) { notices_.push_back(text); }, means);
  }

  std::vector<float> Ask(GoldenLogits& golden, std::uint64_t seed, const std::string& isa) const {
    return golden.Of(NetworkOf(seed), "file " + std::to_string(seed), image_, isa);
  }

  const std::vector<std::uint8_t> image_ = std::vector<std::uint8_t>(5 * 7 * 3, 200);
  std::map<Isa, int> kernel_runs_;
  int reference_runs_ = 0;
  bool kernels_are_wrong_ = false;
  std::vector<std::string> notices_;
};

TEST_F(GoldenLogitsTest, ComputesEachNetworkAndImageOnceForALevel) {
  GoldenLogits golden = Make();
  const std::vector<float> right = RunReference(NetworkOf(1), image_);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Ask(golden, 1, "avx2"), right);
  EXPECT_EQ(kernel_runs_, (std::map<Isa, int>{{Isa::kScalar, 1}}));
  // Of another vector level the same is good: it has none of these kernels either.
  EXPECT_EQ(Ask(golden, 1, "avx512vnni"), right);
  EXPECT_EQ(kernel_runs_[Isa::kScalar], 1);
  // Another file, another image.
  Ask(golden, 2, "avx2");
  std::vector<std::uint8_t> other = image_;
  other[0] = 1;
  EXPECT_EQ(golden.Of(NetworkOf(1), "file 1", other, "avx2"), RunReference(NetworkOf(1), other));
  EXPECT_EQ(kernel_runs_[Isa::kScalar], 3);
}

TEST_F(GoldenLogitsTest, UsesNoneOfTheKernelsThatTheBoardHas) {
  const std::optional<Isa> vector = GoldenLogits::LevelFor("scalar");
  if (!vector) GTEST_SKIP() << "this CPU has no vector kernels, or BITPILOT_FORCE_ISA leaves none";
  EXPECT_EQ(GoldenLogits::LevelFor(std::string(ToString(Isa::kScalarPopcnt))), vector);
  EXPECT_EQ(GoldenLogits::LevelFor(std::string(ToString(*vector))), Isa::kScalar);
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Network network = NetworkOf(seed);
    const CompiledNetwork a = CompiledNetwork::Create(network, {.isa = *vector}).value();
    const CompiledNetwork b = CompiledNetwork::Create(network, {.isa = Isa::kScalar}).value();
    for (int i = 0; i < a.num_operations(); ++i) {
      const std::string& name = network.topology.operations[static_cast<std::size_t>(i)].name;
      // Of these there is one way for all.
      if (!a.kernel_name(i).starts_with("conv_") && !a.kernel_name(i).starts_with("depthwise_")) {
        continue;
      }
      EXPECT_NE(a.kernel_name(i), b.kernel_name(i)) << name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 20);
}

TEST_F(GoldenLogitsTest, LeavesItToTheReferenceWhereTheBoardIsNotKnown) {
  GoldenLogits golden = Make();
  EXPECT_EQ(Ask(golden, 1, ""), RunReference(NetworkOf(1), image_));
  EXPECT_TRUE(kernel_runs_.empty());
  EXPECT_EQ(reference_runs_, 1);
  EXPECT_EQ(GoldenLogits::LevelFor("a level of the future"), std::nullopt);
}

TEST_F(GoldenLogitsTest, ChecksTheFirstNetworkAndOneInSixteenAgainstTheReference) {
  GoldenLogits golden = Make();
  Ask(golden, 1, "avx2");
  EXPECT_EQ(reference_runs_, 1);
  const Network network = NetworkOf(1);
  constexpr int kFiles = 1600;
  for (int i = 0; i < kFiles; ++i) {
    golden.Of(network, "another file " + std::to_string(i), image_, "avx2");
  }
  // By hashes, which SHA-256 spreads evenly: 100 of these, and five standard deviations of 9.7.
  EXPECT_NEAR(reference_runs_, 1 + kFiles / GoldenLogits::kSpotCheckEvery, 49);
  EXPECT_TRUE(notices_.empty());
}

TEST_F(GoldenLogitsTest, TrustsTheReferenceAloneOnceKernelsDifferFromIt) {
  GoldenLogits golden = Make();
  Ask(golden, 1, "avx2");  // the check of the first one passes
  kernels_are_wrong_ = true;
  for (std::uint64_t seed = 2; notices_.empty() && seed < 500; ++seed) Ask(golden, seed, "avx2");
  ASSERT_EQ(notices_.size(), 1U) << "one in sixteen is compared";
  EXPECT_NE(notices_[0].find("scalar kernels"), std::string::npos) << notices_[0];
  const int runs = kernel_runs_[Isa::kScalar];
  for (std::uint64_t seed = 1; seed < 500; seed += 40) {
    EXPECT_EQ(Ask(golden, seed, "avx2"), RunReference(NetworkOf(seed), image_))
        << "what kernels computed is forgotten";
  }
  EXPECT_EQ(kernel_runs_[Isa::kScalar], runs);
  EXPECT_EQ(notices_.size(), 1U);
}

}  // namespace
}  // namespace bitpilot
