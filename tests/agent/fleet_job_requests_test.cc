#include "agent/fleet/job_requests.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/base/network_file.h"
#include "kernels/base/sha256.h"
#include "kernels/reference.h"

namespace bitpilot {
namespace {

Topology SmallTopology(const std::string& name, int side) {
  Topology topology;
  topology.name = name;
  topology.input = {side, side, 3};
  Operation conv;
  conv.name = "conv";
  conv.out_channels = 5;
  conv.kernel_h = 3;
  conv.kernel_w = 3;
  conv.activation = Activation::kRelu;
  Operation dense;
  dense.kind = OperationKind::kFullyConnected;
  dense.name = "dense";
  dense.input = 1;
  dense.out_channels = 7;
  topology.operations = {conv, dense};
  return topology;
}

Network SmallNetwork(int side, std::uint64_t seed) {
  const Topology topology = SmallTopology("small", side);
  return RandomNetwork(topology, UniformAssignment(topology, 4, 4), seed);
}

TEST(MakeMeasureRequestTest, CarriesTheReferenceLogitsOfTheGoldenImage) {
  const Network first = SmallNetwork(6, 1);
  const Network second = SmallNetwork(6, 2);
  MeasureJob job;
  job.networks = {&first, &second};
  job.tier = Tier::kAudit;
  const Result<JobRequest> request = MakeMeasureRequest(job, std::string(16, 'i'));
  ASSERT_TRUE(request.ok()) << request.status().message();
  const auto& input = std::get<MeasureInput>(request->input);
  ASSERT_EQ(input.golden_pixels.size(), 6U * 6U * 3U);
  const std::vector<std::uint8_t> pixels(input.golden_pixels.begin(), input.golden_pixels.end());
  const Network* networks[] = {&first, &second};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::vector<float> logits = RunReference(*networks[i], pixels);
    ASSERT_EQ(input.golden_logits[i].size(), logits.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(input.golden_logits[i].data(), logits.data(), logits.size() * 4), 0);
    const Sha256Digest digest = ComputeSha256(SerializeNetwork(*networks[i]));
    EXPECT_EQ(request->artifacts[i].sha256, std::string(digest.begin(), digest.end()));
  }
  EXPECT_NE(input.golden_logits[0], input.golden_logits[1]);
  EXPECT_EQ(input.num_operations, (std::vector<int>{2, 2}));
}

TEST(MakeMeasureRequestTest, RefusesWhatCannotBeMeasuredTogether) {
  const Network small = SmallNetwork(6, 1);
  const Network large = SmallNetwork(8, 1);
  Network broken = small;
  broken.operations[0].output.scale[0] = std::numeric_limits<float>::infinity();
  MeasureJob job;
  EXPECT_EQ(MakeMeasureRequest(job, "id").status().code(), StatusCode::kInvalidArgument);
  job.networks = {&small, &large};
  EXPECT_EQ(MakeMeasureRequest(job, "id").status().code(), StatusCode::kInvalidArgument);
  job.networks = {&broken};
  EXPECT_EQ(MakeMeasureRequest(job, "id").status().code(), StatusCode::kInvalidArgument);
  job.networks.assign(65, &small);
  EXPECT_EQ(MakeMeasureRequest(job, "id").status().code(), StatusCode::kInvalidArgument);
}

TEST(MakeInferRequestTest, RefusesImagesOfAnotherSize) {
  const Network network = SmallNetwork(6, 1);
  const std::vector<std::uint8_t> pixels(6 * 6 * 3 * 2);
  EXPECT_TRUE(MakeInferRequest(network, pixels).ok());
  EXPECT_FALSE(MakeInferRequest(network, std::span(pixels).first(1)).ok());
  EXPECT_FALSE(MakeInferRequest(network, std::span(pixels).first(0)).ok());
  EXPECT_FALSE(MakeInferRequest(network, std::span(pixels).first(6 * 6 * 3 + 1)).ok());
}

TEST(NewMeasureIdTest, GivesSixteenBytesThatDiffer) {
  EXPECT_EQ(NewMeasureId().size(), 16U);
  EXPECT_NE(NewMeasureId(), NewMeasureId());
}

}  // namespace
}  // namespace bitpilot
