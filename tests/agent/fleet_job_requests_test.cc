#include "agent/fleet/job_requests.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/base/network_file.h"
#include "kernels/base/sha256.h"
#include "kernels/base/standard_networks.h"
#include "kernels/reference.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

Network SmallNetwork(std::uint64_t seed) {
  const Topology topology = EveryOperationTopology();
  return RandomNetwork(topology, RandomAssignment(topology, seed), seed);
}

constexpr std::size_t kImageBytes = 5 * 7 * 3;

TEST(MakeMeasureRequestTest, CarriesTheReferenceLogitsOfTheGoldenImage) {
  const Network first = SmallNetwork(1);
  const Network second = SmallNetwork(2);
  MeasureJob job;
  job.networks = {&first, &second};
  job.tier = Tier::kAudit;
  job.window_doublings = 2;
  const Result<JobRequest> request = MakeMeasureRequest(job, std::string(16, 'i'));
  ASSERT_TRUE(request.ok()) << request.status().message();
  const auto& input = std::get<MeasureInput>(request->input);
  EXPECT_EQ(input.window_doublings, 2);
  ASSERT_EQ(input.golden_pixels.size(), kImageBytes);
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
  EXPECT_EQ(input.num_operations, std::vector<int>(2, first.topology.num_operations()));
}

TEST(MakeMeasureRequestTest, RefusesWhatCannotBeMeasuredTogether) {
  const Network small = SmallNetwork(1);
  const Topology resnet8 = StandardTopology("resnet8").value();
  const Network large = RandomNetwork(resnet8, UniformAssignment(resnet8, 8, 8), 1);
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

// A board refuses an id that it knows from another request.
TEST(MakeMeasureRequestTest, HasAnIdThatIsTheNamesAndTheContents) {
  const Network first = SmallNetwork(1);
  const Network second = SmallNetwork(2);
  MeasureJob job;
  job.networks = {&first, &second};
  job.name = "study 1, step 2";
  const auto id_of = [](const MeasureJob& asked) {
    GoldenLogits golden;
    const Result<JobRequest> request = MakeMeasureRequest(asked, golden, /*board_isa=*/"");
    return request.ok() ? std::get<MeasureInput>(request->input).measure_id : "";
  };
  const std::string id = id_of(job);
  EXPECT_EQ(id.size(), 16U);
  EXPECT_EQ(id_of(job), id);
  std::vector<MeasureJob> others(8, job);
  others[0].name = "study 1, step 3";
  others[1].networks = {&second, &first};
  others[2].networks = {&first};
  others[3].tier = Tier::kAudit;
  others[4].window_doublings = 1;
  others[5].energy = true;
  others[6].per_operation = true;
  others[7].extended = true;
  for (std::size_t i = 0; i < others.size(); ++i) EXPECT_NE(id_of(others[i]), id) << i;
  job.name.clear();
  EXPECT_NE(id_of(job), id_of(job)) << "without a name it is another measurement every time";
}

TEST(MakeInferRequestTest, RefusesImagesOfAnotherSize) {
  const Network network = SmallNetwork(1);
  const std::vector<std::uint8_t> pixels(2 * kImageBytes);
  EXPECT_TRUE(MakeInferRequest(network, pixels).ok());
  EXPECT_FALSE(MakeInferRequest(network, std::span(pixels).first(1)).ok());
  EXPECT_FALSE(MakeInferRequest(network, std::span(pixels).first(0)).ok());
  EXPECT_FALSE(MakeInferRequest(network, std::span(pixels).first(kImageBytes + 1)).ok());
}

TEST(NewMeasureIdTest, GivesSixteenBytesThatDiffer) {
  EXPECT_EQ(NewMeasureId().size(), 16U);
  EXPECT_NE(NewMeasureId(), NewMeasureId());
}

}  // namespace
}  // namespace bitpilot
