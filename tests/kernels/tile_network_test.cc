// Whole networks whose convolutions run on modelled AMX tiles.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/conv/conv_format.h"
#include "kernels/reference.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/pixel_converter.h"
#include "kernels/runtime/tensor_layout.h"
#include "tests/kernels/conv/conv_tile_model.h"
#include "tests/kernels/random_networks.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

// As CompiledNetwork, but tiles take every convolution that a plan would give to them.
class TileNetwork {
 public:
  explicit TileNetwork(const Network& network)
      : plan_(PlanArena(network)),
        pixel_converter_(network, plan_.tensors.front(), Isa::kScalar),
        arena_(AllocateArena(plan_)),
        logits_(static_cast<std::size_t>(network.num_classes())) {
    std::size_t scratch_bytes = 0;
    for (int i = 0; i < network.topology.num_operations(); ++i) {
      operations_.push_back(Make({network, plan_, Isa::kScalar, i, nullptr, {}}));
      scratch_bytes = std::max(scratch_bytes, operations_.back()->scratch_bytes());
    }
    scratch_ = AlignedBuffer(scratch_bytes);
    for (const auto& operation : operations_) {
      operation->Bind({arena_.data(), scratch_.data(), logits_.data()});
    }
  }

  const std::vector<float>& Run(const std::vector<std::uint8_t>& pixels) {
    RefillHalo(plan_, 0, arena_.data());
    pixel_converter_.Convert(pixels.data(), arena_.data(), /*pool=*/nullptr);
    for (std::size_t i = 0; i < operations_.size(); ++i) {
      RefillHalo(plan_, static_cast<int>(i) + 1, arena_.data());
      operations_[i]->Run();
    }
    return logits_;
  }

  int num_tile_operations() const { return num_tile_operations_; }

 private:
  std::unique_ptr<BoundOperation> Make(const OperationContext& context) {
    const TensorShape output = context.output_shape();
    if (context.operation().kind != OperationKind::kConvolution ||
        !kTileModelKernel.format->SuitsPixels(std::int64_t{output.height} * output.width)) {
      return MakeOperation(context);
    }
    ++num_tile_operations_;
    return MakeConvOperation(context, context.numbers().weights,
                             [](int) -> const ConvKernel& { return kTileModelKernel; });
  }

  ArenaPlan plan_;
  PixelConverter pixel_converter_;
  AlignedBuffer arena_;
  AlignedBuffer scratch_;
  std::vector<float> logits_;
  std::vector<std::unique_ptr<BoundOperation>> operations_;
  int num_tile_operations_ = 0;
};

// Two images, because the first leaves its codes in shared memory.
void ExpectTilesMatchReference(const Network& network, std::uint64_t seed) {
  TileNetwork tiles(network);
  std::mt19937_64 random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()));
  for (int image = 0; image < 2; ++image) {
    std::generate(pixels.begin(), pixels.end(),
                  [&random] { return static_cast<std::uint8_t>(random()); });
    ASSERT_EQ(tiles.Run(pixels), RunReference(network, pixels));
  }
}

TEST(TileNetworkTest, MatchesReferenceOnRandomNetworks) {
  for (std::uint64_t seed = 0; seed < 500; seed += RandomNetworkStep()) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ASSERT_NO_FATAL_FAILURE(ExpectTilesMatchReference(RandomNetworkOfSeed(seed), seed));
  }
}

TEST(TileNetworkTest, MatchesReferenceOnResnet8) {
  const Topology topology = StandardTopology("resnet8").value();
  const Network network = RandomNetwork(topology, RandomAssignment(topology, 1), /*seed=*/2);
  EXPECT_EQ(TileNetwork(network).num_tile_operations(), 9);
  ExpectTilesMatchReference(network, /*seed=*/3);
}

}  // namespace
}  // namespace bitpilot
