#include "agent/session/twin_losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

// What a validation set of these images is drawn from: how hard an image is is shared by all networks
// that read it; what a network makes of it beside that is its own.
struct Images {
  std::vector<float> before;  // the twin's losses at 0 mini-batches
  std::vector<float> after;   // at 100
  std::vector<float> candidate;
  std::vector<float> same_weights;  // 8 bit's on the candidate's weights
};

constexpr double kTwinBefore = 0.5;
constexpr double kTwinAfter = 0.4;
constexpr double kCandidate = 0.6;
constexpr int kDepth = 25;
constexpr double kSameWeights = 0.55;
constexpr double kTwinShare = 0.4;
constexpr double kTwin = 0.75 * kTwinBefore + 0.25 * kTwinAfter;
constexpr double kTrueExcess = kCandidate - kTwin;
constexpr double kTrueCharge = kCandidate - (1.0 - kTwinShare) * kSameWeights - kTwinShare * kTwin;

Images Draw(int count, RandomStream& random) {
  Images images;
  for (int i = 0; i < count; ++i) {
    const double hard = 0.8 * random.NextNormal();
    const auto loss = [&](double mean, double own) {
      return static_cast<float>(mean + hard + own * random.NextNormal());
    };
    images.before.push_back(loss(kTwinBefore, 0.2));
    images.after.push_back(loss(kTwinAfter, 0.2));
    images.candidate.push_back(loss(kCandidate, 0.3));
    images.same_weights.push_back(loss(kSameWeights, 0.25));
  }
  return images;
}

double Mean(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double SquaredErrorOfMean(const std::vector<float>& values) {
  const double mean = Mean(values);
  double squares = 0.0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  const auto count = static_cast<double>(values.size());
  return squares / (count - 1.0) / count;
}

// 2,000 validation sets: the share of 95 % intervals that hold the true excess has a standard error of
// half a point.
TEST(TwinLossesTest, IntervalsOfTheExcessHoldItAsOftenAsTheySay) {
  RandomStream random(1, "validation sets");
  int held = 0;
  int held_by_independent_errors = 0;
  double width_ratio = 0.0;
  constexpr int kSets = 2000;
  for (int set = 0; set < kSets; ++set) {
    const Images images = Draw(200, random);
    TwinLosses twin;
    twin.Add(0, images.before);
    twin.Add(100, images.after);
    const double excess =
        Mean(images.candidate) - (0.75 * Mean(images.before) + 0.25 * Mean(images.after));
    const double miss = std::abs(excess - kTrueExcess);
    const double error = twin.ExcessError(images.candidate, kDepth);
    const double independent =
        std::sqrt(SquaredErrorOfMean(images.candidate) + SquaredErrorOfMean(images.before));
    held += miss <= 1.96 * error ? 1 : 0;
    held_by_independent_errors += miss <= 1.96 * independent ? 1 : 0;
    width_ratio += independent / error / kSets;
  }
  EXPECT_GE(held, 0.93 * kSets);
  EXPECT_LE(held, 0.97 * kSets);
  EXPECT_GE(held_by_independent_errors, 0.999 * kSets) << "as if they were of different images";
  EXPECT_GT(width_ratio, 3.0);
}

TEST(TwinLossesTest, IntervalsOfTheChargeHoldItAsOftenAsTheySay) {
  RandomStream random(2, "validation sets");
  int held = 0;
  constexpr int kSets = 2000;
  for (int set = 0; set < kSets; ++set) {
    const Images images = Draw(200, random);
    TwinLosses twin;
    twin.Add(0, images.before);
    twin.Add(100, images.after);
    const double of_twin = 0.75 * Mean(images.before) + 0.25 * Mean(images.after);
    const double charge = Mean(images.candidate) - (1.0 - kTwinShare) * Mean(images.same_weights) -
                          kTwinShare * of_twin;
    const double error =
        twin.ChargeError(images.candidate, images.same_weights, kTwinShare, kDepth);
    held += std::abs(charge - kTrueCharge) <= 1.96 * error ? 1 : 0;
  }
  EXPECT_GE(held, 0.93 * kSets);
  EXPECT_LE(held, 0.97 * kSets);
}

TEST(TwinLossesTest, AreLinearBetweenReadingsAndConstantBeyondThem) {
  TwinLosses twin;
  twin.Add(10, {1.0F, 2.0F});
  twin.Add(20, {3.0F, 2.0F});
  // Differences -1 and 1 at 15 mini-batches: sqrt(2 / 1 / 2).
  EXPECT_NEAR(twin.ExcessError(std::vector<float>{1.0F, 3.0F}, 15.0), 1.0, 1e-12);
  // 0 and 1 before the first: sqrt(0.5 / 1 / 2); -2 and 1 after the last: sqrt(4.5 / 1 / 2).
  EXPECT_NEAR(twin.ExcessError(std::vector<float>{1.0F, 3.0F}, 0.0), 0.5, 1e-12);
  EXPECT_NEAR(twin.ExcessError(std::vector<float>{1.0F, 3.0F}, 99.0), 1.5, 1e-12);
  EXPECT_EQ(twin.ExcessError(std::vector<float>{1.0F, 2.0F}, 10.0), 0.0) << "the same losses";
}

TEST(TwinLossesTest, TakesTwoReadingsOfTheSameMiniBatches) {
  TwinLosses twin;
  for (const int batches : {0, 0, 1}) twin.Add(batches, {0.5F, 0.25F});
  EXPECT_EQ(twin.ExcessError(std::vector<float>{0.5F, 0.25F}, 0.0), 0.0);
  EXPECT_EQ(twin.ExcessError(std::vector<float>{0.5F, 0.25F}, 0.5), 0.0);
}

TEST(TwinLossesTest, ReturnsWhatWasSerialized) {
  TwinLosses twin;
  twin.Add(0, {0.1F, 7.0F, 0.0F});
  twin.Add(5, {0.2F, 6.0F, 1e-7F});
  const Result<TwinLosses> parsed = TwinLosses::Parse(twin.Serialize());
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(parsed->Serialize(), twin.Serialize());
  EXPECT_EQ(parsed->num_images(), 3);
}

TEST(TwinLossesTest, AreOfReadingsOfTheSameMiniBatchesAndMeans) {
  TwinLosses twin;
  twin.Add(0, {0.1F, 7.0F, 0.4F});
  twin.Add(5, {0.2F, 6.0F, 0.1F});
  EXPECT_TRUE(twin.AreOf(Anchor{{{0, 2.5, 0.1, 0.1}, {5, 2.1, 0.1, 0.1}}}));
  EXPECT_FALSE(twin.AreOf(Anchor{{{0, 2.5, 0.1, 0.1}, {6, 2.1, 0.1, 0.1}}})) << "mini-batches";
  EXPECT_FALSE(twin.AreOf(Anchor{{{0, 2.5, 0.1, 0.1}, {5, 2.1001, 0.1, 0.1}}})) << "loss";
  EXPECT_FALSE(twin.AreOf(Anchor{{{0, 2.1, 0.1, 0.1}, {5, 2.5, 0.1, 0.1}}})) << "order";
  EXPECT_FALSE(twin.AreOf(Anchor{{{0, 2.5, 0.1, 0.1}}})) << "number";
}

TEST(TwinLossesTest, RefusesWhatWasNot) {
  TwinLosses twin;
  twin.Add(3, {0.1F, 7.0F});
  twin.Add(5, {0.2F, 6.0F});
  const std::string sound = twin.Serialize();
  for (std::size_t size = 0; size < sound.size(); ++size) {
    EXPECT_EQ(TwinLosses::Parse(sound.substr(0, size)).status().code(), StatusCode::kDataCorrupt)
        << size << " bytes";
  }
  EXPECT_FALSE(TwinLosses::Parse(sound + '\0').ok());
  std::string descending = sound;
  descending[20] = 2;  // mini-batches of the second reading
  EXPECT_FALSE(TwinLosses::Parse(descending).ok());
  std::string not_finite = sound;
  not_finite[14] = static_cast<char>(0x80);  // of the first loss: an infinity
  not_finite[15] = static_cast<char>(0x7f);
  not_finite[12] = not_finite[13] = 0;
  EXPECT_FALSE(TwinLosses::Parse(not_finite).ok());
}

}  // namespace
}  // namespace bitpilot
