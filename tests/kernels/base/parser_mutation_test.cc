// Seeded random damage to network files and cost tables. Whatever comes in, a parser gives an error
// or a value that is valid and writes back as it was read, and never allocates much more than the
// input's size. Sanitizer builds run the same inputs.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "kernels/base/cost_table.h"
#include "kernels/base/network_file.h"
#include "kernels/reference.h"
#include "tests/kernels/base/network_file_bytes.h"
#include "tests/kernels/largest_allocation.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

// Values that size checks get wrong.
constexpr std::uint32_t kInteresting[] = {
    0,          1,          0x7f,       0x80,       0xff,       0x100,
    0x4000,     0x4001,     0xffff,     0x10000,    0x10000000, 0x7fffffff,
    0x80000000, 0xfffffffe, 0xffffffff, 0x7fc00000, 0x7f800000, 0xff800000};

// One to three random changes.
std::string Mutate(std::string bytes, std::mt19937_64& random) {
  for (int changes = RandomInteger(random, 1, 3); changes > 0 && !bytes.empty(); --changes) {
    const auto at =
        static_cast<std::size_t>(RandomInteger(random, 0, static_cast<int>(bytes.size()) - 1));
    const auto length = std::min<std::size_t>(
        bytes.size() - at, static_cast<std::size_t>(RandomInteger(random, 1, 16)));
    switch (RandomInteger(random, 0, 5)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << RandomInteger(random, 0, 7)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(at, length));
        break;
      case 4:
        bytes.resize(at);
        break;
      default: {
        const std::uint32_t value = kInteresting[random() % std::size(kInteresting)];
        bytes.replace(at, std::min<std::size_t>(4, bytes.size() - at), LittleEndian(value, 4));
      }
    }
  }
  return bytes;
}

// A network that passed validation must run: on this one, if it is small enough.
void RunIfSmall(const Network& network) {
  std::int64_t work = 0;
  for (const TensorShape& shape : TensorShapes(network.topology)) work += shape.elements();
  for (int i = 0; i < network.topology.num_operations(); ++i) {
    const Operation& op = network.topology.operations[static_cast<std::size_t>(i)];
    work += Macs(network.topology, i) + std::int64_t{op.kernel_h} * op.kernel_w;
  }
  if (work > 100'000) return;
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(network.input_bytes()), 200);
  EXPECT_EQ(RunReference(network, pixels).size(), static_cast<std::size_t>(network.num_classes()));
}

TEST(ParserMutationTest, NetworkFilesAreRefusedOrValid) {
  const std::string body = BodyOf(SerializeNetwork(SmallNetwork()));
  std::mt19937_64 random(20'261'120);
  int num_accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string file = NetworkFileOf(Mutate(body, random));
    ResetLargestAllocation();
    const Result<Network> network = ParseNetwork(file);
    // Weights are the worst case: one byte of 1-bit weights becomes 8 codes.
    ASSERT_LE(LargestAllocation(), 16 * file.size() + 4096) << "round " << round;
    if (!network.ok()) continue;
    ++num_accepted;
    ASSERT_TRUE(SerializeNetwork(*network) == file) << "round " << round;
    RunIfSmall(*network);
  }
  // Most changes hit input codes or weights and leave a valid network; the test is void if none or
  // all do.
  EXPECT_GT(num_accepted, 1000);
  EXPECT_LT(num_accepted, 19'000);
}

// 16,384 channels of 65,536 weights, of which four are stored: 180 kB of file, and 1 GiB if pruned
// channels took memory.
Network WidelyPrunedNetwork() {
  Topology topology;
  topology.name = "pruned";
  topology.input = {64, 64, 16};
  topology.operations = {MakeOperation(OperationKind::kFullyConnected, "f", 0, 16'384)};
  return RandomNetwork(topology, {{{{10'000, 0}, {4, 1}, {6'380, 0}}}, {8}}, 1);
}

TEST(ParserMutationTest, PrunedChannelsTakeNoMemory) {
  const std::string body = BodyOf(SerializeNetwork(WidelyPrunedNetwork()));
  std::mt19937_64 random(20'261'129);
  int num_accepted = 0;
  for (int round = 0; round < 300; ++round) {
    const std::string file = NetworkFileOf(round == 0 ? body : Mutate(body, random));
    ResetLargestAllocation();
    const Result<Network> network = ParseNetwork(file);
    ASSERT_LE(LargestAllocation(), 16 * file.size() + 4096) << "round " << round;
    ASSERT_TRUE(network.ok() || round > 0) << network.status().message();
    if (!network.ok()) continue;
    ++num_accepted;
    ASSERT_TRUE(SerializeNetwork(*network) == file) << "round " << round;
  }
  EXPECT_GT(num_accepted, 30);
}

// The topology comes first in the body: aim there, where sizes are.
TEST(ParserMutationTest, TopologiesAreRefusedOrValid) {
  const std::string body = BodyOf(SerializeNetwork(SmallNetwork()));
  constexpr std::size_t kTopologySize = 600;
  std::mt19937_64 random(20'261'121);
  for (int round = 0; round < 20'000; ++round) {
    const std::string file =
        NetworkFileOf(Mutate(body.substr(0, kTopologySize), random) + body.substr(kTopologySize));
    ResetLargestAllocation();
    const Result<Network> network = ParseNetwork(file);
    ASSERT_LE(LargestAllocation(), 16 * file.size() + 4096) << "round " << round;
    if (!network.ok()) continue;
    ASSERT_TRUE(SerializeNetwork(*network) == file) << "round " << round;
    RunIfSmall(*network);
  }
}

TEST(ParserMutationTest, CostTablesAreRefusedOrReadBackTheSame) {
  CostTable table;
  table.name = "mpic";
  table.source = "A \"quoted\" source, # with \\ everything\n";
  table.energy_unit = "uJ-model";
  table.overhead_latency_ns = 1200.25;
  for (int bits = 1; bits <= 8; ++bits)
    table.operations[{"conv1", bits, 9 - bits}] = {1e3 / bits, 0.1 * bits};
  table.operations[{"pool", 0, 0}] = {300.0, {}};
  const std::string text = FormatCostTable(table);
  std::mt19937_64 random(20'261'122);
  int num_accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    const Result<CostTable> read = ParseCostTable(Mutate(text, random));
    if (!read.ok()) {
      ASSERT_FALSE(read.status().message().empty());
      continue;
    }
    ++num_accepted;
    const std::string formatted = FormatCostTable(*read);
    const Result<CostTable> again = ParseCostTable(formatted);
    ASSERT_TRUE(again.ok()) << again.status().message() << "\n" << formatted;
    ASSERT_EQ(FormatCostTable(*again), formatted) << "round " << round;
  }
  EXPECT_GT(num_accepted, 500);
  EXPECT_LT(num_accepted, 19'000);
}

}  // namespace
}  // namespace bitpilot
