#include "agent/fleet/measure_parts.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/base/network_file.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

class MeasurePartsTest : public testing::Test {
 protected:
  MeasurePartsTest() {
    const Topology topology = StandardTopology("resnet8").value();
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      owned_.push_back(RandomNetwork(topology, UniformAssignment(topology, 8, 8), seed));
    }
    for (const Network& network : owned_) networks_.push_back(&network);
    file_bytes_ = SerializeNetwork(owned_.front()).size();
  }

  // Every part holds the reference first, and all others come once, in order.
  void ExpectParts(const BoardLimits& limits, const std::vector<std::size_t>& sizes) {
    const auto parts = PartsThatFit(networks_, limits);
    std::vector<const Network*> members;
    std::vector<std::size_t> got;
    for (const auto& part : parts) {
      got.push_back(part.size());
      EXPECT_EQ(part.front(), networks_.front());
      members.insert(members.end(), part.begin() + 1, part.end());
    }
    EXPECT_EQ(got, sizes);
    EXPECT_EQ(members, std::vector<const Network*>(networks_.begin() + 1, networks_.end()));
  }

  std::vector<Network> owned_;
  std::vector<const Network*> networks_;
  std::uint64_t file_bytes_ = 0;
};

TEST_F(MeasurePartsTest, KeepsTogetherWhatTheBoardTakes) {
  ExpectParts({}, {8});
  ExpectParts({64, std::uint64_t{256} << 20, std::uint64_t{1} << 30}, {8});
}

TEST_F(MeasurePartsTest, SplitsByTheNumberOfNetworks) { ExpectParts({4, 0, 0}, {3, 3, 4}); }

TEST_F(MeasurePartsTest, SplitsByTheStore) { ExpectParts({64, 5 * file_bytes_, 0}, {4, 5}); }

// ResNet-8 has 78 thousand weights: the worker's own 32 MiB and half a MiB for two networks.
TEST_F(MeasurePartsTest, SplitsByTheWorkersMemory) {
  const auto parts =
      PartsThatFit(networks_, {64, 0, (std::uint64_t{32} << 20) + 3 * 78'000 * 3 + 1'200'000});
  EXPECT_GT(parts.size(), 1U);
  EXPECT_LT(parts.size(), 7U);
}

TEST_F(MeasurePartsTest, NeverPartsACandidateFromItsReference) {
  ExpectParts({1, 1, 1}, {2, 2, 2, 2, 2, 2, 2});
  networks_.resize(1);
  EXPECT_EQ(PartsThatFit(networks_, {1, 1, 1}).size(), 1U);
}

}  // namespace
}  // namespace bitpilot
