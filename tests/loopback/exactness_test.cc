// What the board computes is what the host's reference computes, bit for bit, on every instruction
// set of this machine, through file, wire, worker and kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "kernels/base/standard_networks.h"
#include "kernels/cpu/isa.h"
#include "tests/kernels/random_networks.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {

void PrintTo(Isa isa, std::ostream* out) { *out << ToString(isa); }

namespace {

struct ExactnessCase {
  Network network;
  std::vector<std::uint8_t> images;
  std::vector<std::vector<float>> logits;
};

ExactnessCase MakeCase(Network network, int num_images, std::uint64_t seed) {
  ExactnessCase made;
  made.images = RandomImages(network, num_images, seed);
  made.logits = ReferenceLogits(network, made.images);
  made.network = std::move(network);
  return made;
}

const std::vector<ExactnessCase>& Cases() {
  static const std::vector<ExactnessCase> cases = [] {
    std::vector<ExactnessCase> made;
    const Topology resnet8 = StandardTopology("resnet8").value();
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      made.push_back(
          MakeCase(RandomNetwork(resnet8, RandomAssignment(resnet8, seed), seed), 8, seed));
    }
    const Topology resnet20 = StandardTopology("resnet20").value();
    for (std::uint64_t seed = 7; seed <= 9; ++seed) {
      made.push_back(
          MakeCase(RandomNetwork(resnet20, RandomAssignment(resnet20, seed), seed), 4, seed));
    }
    const Topology all = EveryOperationTopology();
    made.push_back(MakeCase(RandomNetwork(all, RandomAssignment(all, 10), 10), 20, 10));
    made.push_back(MakeCase(SmallNetwork(11), 300, 11));  // two requests
    return made;
  }();
  return cases;
}

class ExactnessTest : public testing::TestWithParam<Isa> {};

TEST_P(ExactnessTest, InferenceGivesTheReferenceLogitsBitForBit) {
  const std::string isa(ToString(GetParam()));
  Result<std::unique_ptr<Board>> board = StartLocalBoard("local:" + isa, {});
  ASSERT_TRUE(board.ok()) << board.status().message();
  EXPECT_EQ((*board)->info().isa, isa);
  for (const ExactnessCase& one : Cases()) {
    SCOPED_TRACE(ToString(AssignmentOf(one.network)));
    const auto logits = (*board)->Infer(one.network, one.images);
    ASSERT_TRUE(logits.ok()) << logits.status().message();
    EXPECT_EQ(*logits, one.logits);
  }
}

std::string CaseName(const testing::TestParamInfo<Isa>& isa) {
  std::string name(ToString(isa.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, ExactnessTest, testing::ValuesIn(SupportedIsas()), CaseName);

}  // namespace
}  // namespace bitpilot
