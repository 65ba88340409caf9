#include "kernels/runtime/tensor_layout.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

Network NetworkOf(const std::string& name) {
  const Topology topology = StandardTopology(name).value();
  return RandomNetwork(topology, UniformAssignment(topology, 8, 8), /*seed=*/1);
}

bool Overlap(const TensorLayout& a, const TensorLayout& b) {
  return a.arena_offset < b.arena_offset + b.total_bytes() &&
         b.arena_offset < a.arena_offset + a.total_bytes();
}

TEST(PlanArenaTest, KeepsTensorsApartThatAreReadAfterTheOtherIsWritten) {
  for (const char* name : {"resnet20-proj", "mobilenet-v2", "resnet18"}) {
    const Network network = NetworkOf(name);
    const ArenaPlan plan = PlanArena(network);
    const auto tensor = [&plan](int t) { return plan.tensors[static_cast<std::size_t>(t)]; };
    for (int i = 0; i < network.topology.num_operations(); ++i) {
      const Operation& reader = network.topology.operations[static_cast<std::size_t>(i)];
      for (const int read : {reader.input, reader.residual}) {
        // Everything written between the tensor's own writing and this reading.
        for (int t = read + 1; read >= 0 && t <= i + 1; ++t) {
          if (t < network.topology.num_stored_tensors()) {
            EXPECT_FALSE(Overlap(tensor(read), tensor(t))) << name << ' ' << read << ' ' << t;
          }
        }
      }
    }
  }
}

// The two largest tensors that live at once, 112x112x16 and 114x114x96 with its halo, take 1.45 MB.
TEST(PlanArenaTest, TakesLittleMoreThanWhatLivesAtOnce) {
  EXPECT_LT(PlanArena(NetworkOf("mobilenet-v2")).total_bytes, 1'700'000U);
}

TEST(FillHaloTest, WritesAllThatSurroundsTheImageAndNothingElse) {
  TensorLayout tensor;
  tensor.shape = {2, 3, 4};
  tensor.halo = {1, 2, 0, 1};
  tensor.zero_point = 9;
  tensor.pixel_bytes = 4;
  tensor.row_bytes = 4 * (2 + 3 + 1);
  tensor.arena_offset = 5;
  std::vector<std::uint8_t> arena(5 + 3 * 24 + 5, 0xEE);
  std::vector<std::uint8_t> expected = arena;
  for (std::size_t i = 0; i < 3 * 24; ++i) {
    const std::size_t x = i % 24 / 4;
    expected[5 + i] = i >= 24 && x >= 2 && x < 5 ? 0xEE : 9;
  }
  FillHalo(tensor, arena.data());
  EXPECT_EQ(arena, expected);
}

}  // namespace
}  // namespace bitpilot
