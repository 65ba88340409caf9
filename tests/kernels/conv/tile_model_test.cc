#include "tests/kernels/conv/tile_model.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace bitpilot {
namespace {

struct TileShapes {
  std::array<std::uint8_t, 16> head = {1};
  std::array<std::uint16_t, 16> row_bytes = {};
  std::array<std::uint8_t, 16> rows = {};
};

// Tile 0: 2 x 3 sums; tile 1: 2 x 8 inputs; tile 2: 2 steps of 3 channels.
TileShapes SmallConfig() {
  TileShapes config;
  config.rows = {2, 2, 2};
  config.row_bytes = {12, 8, 12};
  return config;
}

// 255 * -128 + 1 * 2 = -32638, and 3 * 127 = 381: inputs are unsigned, weights signed.
TEST(TileModelTest, MultipliesUnsignedInputsBySignedWeights) {
  TileModel::Configure(SmallConfig());
  const std::array<std::uint8_t, 16> inputs = {255, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
  std::array<std::int8_t, 24> weights = {};
  weights[0] = -128;  // Step 0, channel 0, its first two of four elements.
  weights[1] = 2;
  weights[12 + 8 + 3] = 127;  // Step 1, channel 2, the last element.
  TileModel::Zero<0>();
  TileModel::Load<1>(inputs.data(), 8);
  TileModel::Load<2>(weights.data(), 12);
  TileModel::Dot<0, 1, 2>();
  std::array<std::int32_t, 8> sums;
  sums.fill(77);
  TileModel::Store<0>(sums.data(), 16);
  EXPECT_EQ(sums, (std::array<std::int32_t, 8>{-32638, 0, 0, 77, 0, 0, 381, 77}));
}

TEST(TileModelTest, AddsToTheSums) {
  TileModel::Configure(SmallConfig());
  const std::array<std::int32_t, 6> before = {10, 20, 30, 40, 50, 60};
  const std::array<std::uint8_t, 16> inputs = {1};
  const std::array<std::int8_t, 24> weights = {5};
  TileModel::Load<0>(before.data(), 12);
  TileModel::Load<1>(inputs.data(), 8);
  TileModel::Load<2>(weights.data(), 12);
  TileModel::Dot<0, 1, 2>();
  TileModel::Dot<0, 1, 2>();
  std::array<std::int32_t, 6> sums;
  TileModel::Store<0>(sums.data(), 12);
  EXPECT_EQ(sums, (std::array<std::int32_t, 6>{20, 20, 30, 40, 50, 60}));
}

TEST(TileModelDeathTest, EndsWhereAnInstructionWouldFault) {
  TileModel::Release();
  EXPECT_DEATH(TileModel::Zero<0>(), "");
  TileShapes many_rows = SmallConfig();
  many_rows.rows[0] = 17;
  EXPECT_DEATH(TileModel::Configure(many_rows), "");
  TileShapes mismatch = SmallConfig();
  mismatch.rows[2] = 1;  // One step of weights for two of inputs.
  TileModel::Configure(mismatch);
  EXPECT_DEATH((TileModel::Dot<0, 1, 2>()), "");
}

}  // namespace
}  // namespace bitpilot
