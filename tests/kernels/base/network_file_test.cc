#include "kernels/base/network_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/base/standard_networks.h"
#include "tests/kernels/base/forged_networks.h"
#include "tests/kernels/base/network_file_bytes.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

class NetworkFileRoundTripTest : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Networks, NetworkFileRoundTripTest,
                         ::testing::ValuesIn(StandardNetworkNames()),
                         [](const auto& test) { return TestName(test.param); });

TEST_P(NetworkFileRoundTripTest, KeepsEveryBit) {
  const Topology topology = *StandardTopology(GetParam());
  for (const std::uint64_t seed : {1, 2}) {
    const Network network = RandomNetwork(topology, RandomAssignment(topology, seed), seed);
    const std::string bytes = SerializeNetwork(network);
    const Result<Network> parsed = ParseNetwork(bytes);
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_TRUE(*parsed == network);
    EXPECT_TRUE(SerializeNetwork(*parsed) == bytes);
  }
}

TEST(NetworkFileTest, KeepsEveryWidthOfEveryOperation) {
  const Topology topology = EveryOperationTopology();
  for (int bits = 1; bits <= 8; ++bits) {
    const Network network =
        RandomNetwork(topology, UniformAssignment(topology, bits, bits, true), 3);
    const Result<Network> parsed = ParseNetwork(SerializeNetwork(network));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(*parsed, network) << bits;
  }
}

TEST(NetworkFileTest, PacksWeightsAsTheHeaderSays) {
  const std::string file = SerializeNetwork(PackingExample());
  // 4 bits: 7 = 0111, -7 = 1001, -1 = 1111: low nibble first gives 0x97, 0x0f.
  // 1 bit: +1, -1, +1 = 1, 0, 1 from the lowest bit: 0x05.  Before them the widths: 4, 1.
  EXPECT_EQ(file.substr(file.size() - 32 - 5, 5), "\x04\x01\x97\x0f\x05");
  EXPECT_EQ(file.substr(0, 8), "BPNET1\r\n");
  EXPECT_EQ(file.substr(8, 8), LittleEndian(file.size() - 48, 8));
}

TEST(NetworkFileTest, RefusesFillBitsThatAreNotZero) {
  std::string body = BodyOf(SerializeNetwork(PackingExample()));
  body.back() = 0x0d;  // A fourth 1-bit weight, where there are three.
  const Status status = ParseNetwork(NetworkFileOf(body)).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(),
              HasSubstr("operation f: the bits that fill a channel's last byte must be 0"));
}

TEST(NetworkFileTest, RefusesTruncationAtEveryByte) {
  const std::string file = SerializeNetwork(SmallNetwork());
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(ParseNetwork(std::string_view(file).substr(0, size)).status().code(),
              StatusCode::kDataCorrupt)
        << size;
  }
}

// As above, but with a header and a checksum that were made for the truncated body.
TEST(NetworkFileTest, RefusesABodyThatEndsEarlyAtEveryByte) {
  const std::string body = BodyOf(SerializeNetwork(SmallNetwork()));
  for (std::size_t size = 0; size < body.size(); ++size) {
    const Status status = ParseNetwork(NetworkFileOf(body.substr(0, size))).status();
    EXPECT_EQ(status.code(), StatusCode::kDataCorrupt) << size << ": " << status.message();
  }
}

TEST(NetworkFileTest, RefusesEveryFlippedBit) {
  const std::string file = SerializeNetwork(PackingExample());
  for (std::size_t i = 0; i < file.size() * 8; ++i) {
    std::string flipped = file;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    EXPECT_FALSE(ParseNetwork(flipped).ok()) << i;
  }
}

TEST(NetworkFileTest, RefusesTrailingBytesInsideAndBehindTheBody) {
  const std::string file = SerializeNetwork(PackingExample());
  EXPECT_THAT(ParseNetwork(file + "x").status().message(), HasSubstr("promises a body of"));
  const Status status = ParseNetwork(NetworkFileOf(BodyOf(file) + "xy")).status();
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(), HasSubstr("2 bytes follow"));
}

TEST(NetworkFileTest, NamesBothVersions) {
  std::string file = SerializeNetwork(PackingExample());
  file[5] = '2';
  const Status status = ParseNetwork(file).status();
  EXPECT_EQ(status.code(), StatusCode::kVersionMismatch);
  EXPECT_THAT(status.message(), HasSubstr("version 2, this program reads version 1"));
}

TEST(NetworkFileTest, RecognizesTextModeCopiesAndOtherFiles) {
  std::string file = SerializeNetwork(PackingExample());
  file.erase(6, 1);  // "\r\n" became "\n".
  EXPECT_THAT(ParseNetwork(file).status().message(), HasSubstr("text mode"));
  EXPECT_THAT(ParseNetwork("\x7f"
                           "ELF")
                  .status()
                  .message(),
              HasSubstr("must start with \"BPNET\""));
}

Status StatusWithField(std::size_t position, std::uint32_t value) {
  std::string body = BodyOf(SerializeNetwork(PackingExample()));
  body.replace(position, 4, LittleEndian(value, 4));
  return ParseNetwork(NetworkFileOf(body)).status();
}

TEST(NetworkFileTest, F37RefusesForgedSizesWithoutAllocatingForThem) {
  for (const std::uint32_t value : {0x7fffffffU, 0x80000000U, 0xffffffffU, 1'000'000U, 0U}) {
    for (const std::size_t position :
         {kHeightAt, kChannelsAt, kNumOperationsAt, kOutChannelsAt, kKernelAt}) {
      const Status status = StatusWithField(position, value);
      EXPECT_FALSE(status.ok()) << position << " = " << value;
    }
  }
  EXPECT_THAT(StatusWithField(kNumOperationsAt, 1'000'000).message(),
              HasSubstr("inside 1000000 operations"));
  // Sizes that a valid topology may have, but that the file does not hold: 16,384 channels of 1 x 4
  // x 16,384.
  EXPECT_THAT(StatusWithField(kOutChannelsAt, 16'384).message(),
              HasSubstr("the body ends inside the scales"));
  EXPECT_THAT(StatusWithField(kChannelsAt, 16'384).message(),
              HasSubstr("the body ends inside the input codes"));
  EXPECT_THAT(StatusWithField(kHeightAt, 4096).message(),
              HasSubstr("the body ends inside the weights"));
}

TEST(NetworkFileTest, RefusesHeadersThatPromiseImpossibleBodies) {
  for (const std::uint64_t size : {~0ULL, 1ULL << 63, 0ULL, ~0ULL - 47}) {
    std::string file = SerializeNetwork(PackingExample());
    file.replace(8, 8, LittleEndian(size, 8));
    EXPECT_EQ(ParseNetwork(file).status().code(), StatusCode::kDataCorrupt) << size;
  }
}

TEST(NetworkFileTest, F37RefusesWellFormedBytesThatDescribeNoNetwork) {
  for (const ForgedNetwork& forged : ForgedNetworks()) {
    const Status status = ParseNetwork(forged.file).status();
    EXPECT_FALSE(status.ok()) << forged.error;
    EXPECT_THAT(status.message(), HasSubstr(forged.error));
  }
}

class NetworkFileOnDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("bitpilot_network_file_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const char* name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_F(NetworkFileOnDiskTest, ReadsWhatItWroteAndLeavesNothingElse) {
  const Network network = SmallNetwork();
  ASSERT_TRUE(WriteNetworkFile(Path("a.bpnet"), PackingExample()).ok());
  ASSERT_TRUE(WriteNetworkFile(Path("a.bpnet"), network).ok());  // Replaces.
  const Result<Network> read = ReadNetworkFile(Path("a.bpnet"));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(*read, network);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(NetworkFileOnDiskTest, NamesThePathOfMissingAndDamagedFiles) {
  const Status missing = ReadNetworkFile(Path("none.bpnet")).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr(Path("none.bpnet")));
  std::ofstream(Path("bad.bpnet")) << "hello";
  const Status damaged = ReadNetworkFile(Path("bad.bpnet")).status();
  EXPECT_EQ(damaged.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(damaged.message(), HasSubstr(Path("bad.bpnet")));
  EXPECT_EQ(ReadNetworkFile(folder_.string()).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(NetworkFileOnDiskTest, ReportsWhereItCannotWrite) {
  const Status no_folder = WriteNetworkFile(Path("none/a.bpnet"), PackingExample());
  EXPECT_EQ(no_folder.code(), StatusCode::kNotFound);
  EXPECT_THAT(no_folder.message(), HasSubstr(Path("none/a.bpnet")));
  // A folder cannot be replaced by a file; the temporary file must not stay.
  std::filesystem::create_directories(folder_ / "taken" / "inside");
  EXPECT_FALSE(WriteNetworkFile(Path("taken"), PackingExample()).ok());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

}  // namespace
}  // namespace bitpilot
