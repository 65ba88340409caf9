#include "agent/qat/channel_affine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "agent/qat/channel_statistics.h"
#include "agent/qat/compute_threads.h"
#include "tests/agent/normal_values.h"

namespace bitpilot {
namespace {

FloatAffine RandomAffine(std::size_t channels) {
  return {NormalValues(channels, 2), NormalValues(channels, 3)};
}

// One value at a time, each step by itself.
float Stored(float value, float scale, float shift, Activation activation, float step,
             const LevelRange& range) {
  const float product = value * scale;
  float stored = product + shift;
  if (activation != Activation::kNone) stored = std::max(stored, 0.0F);
  if (activation == Activation::kRelu6) stored = std::min(stored, 6.0F);
  FakeQuantize(&stored, &stored, 1, step, range);
  return stored;
}

class ChannelAffineTest : public testing::Test {
 protected:
  ~ChannelAffineTest() override { SetComputeThreads(before_); }

 private:
  int before_ = ComputeThreads();
};

TEST_F(ChannelAffineTest, StoresWhatTheStepsStoreOneAfterTheOther) {
  const LevelRange range = ActivationRange(4, 3);
  for (const std::size_t channels : {1U, 3U, 16U, 70U, 5000U}) {
    const std::vector<float> values = NormalValues(channels * 300, 1);
    const FloatAffine affine = RandomAffine(channels);
    for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kRelu6}) {
      for (const int threads : {1, 3}) {
        SetComputeThreads(threads);
        std::vector<float> stored = values;
        StoreInPlace({&affine, activation, 0.25F, range}, stored);
        for (std::size_t i = 0; i < values.size(); ++i) {
          const std::size_t c = i % channels;
          ASSERT_EQ(stored[i],
                    Stored(values[i], affine.scale[c], affine.shift[c], activation, 0.25F, range))
              << i << " of " << channels << " channels, " << threads << " threads";
        }
      }
    }
  }
}

TEST_F(ChannelAffineTest, AppliesEachChannelsOwnCoefficients) {
  std::vector<float> values{1.0F, 1.0F, -2.0F, 4.0F};
  ApplyInPlace({{2.0F, -1.0F}, {0.5F, 3.0F}}, values);
  EXPECT_EQ(values, (std::vector<float>{2.5F, 2.0F, -3.5F, -1.0F}));
}

TEST_F(ChannelAffineTest, WithoutCoefficientsOnlyActivatesAndQuantizes) {
  std::vector<float> values{-1.0F, 0.4F, 1.6F, 9.0F};
  StoreInPlace({nullptr, Activation::kRelu, 1.0F, ActivationRange(2, 0)}, values);
  EXPECT_EQ(values, (std::vector<float>{0.0F, 0.0F, 2.0F, 3.0F}));
}

// Sums in double, of whole groups of channels and of those that are left over.
TEST(MeasureChannelsTest, GivesEachChannelItsMeanAndVariance) {
  constexpr std::size_t kRows = 1000;
  for (const std::size_t channels : {1U, 16U, 37U}) {
    std::vector<float> values = NormalValues(kRows * channels, 5);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] += static_cast<float>(i % channels);  // channels that differ
    }
    const std::vector<ChannelStatistics> measured = MeasureChannels(values, channels);
    ASSERT_EQ(measured.size(), channels);
    for (std::size_t c = 0; c < channels; ++c) {
      double mean = 0.0;
      for (std::size_t row = 0; row < kRows; ++row) mean += values[row * channels + c] / 1e3;
      double variance = 0.0;
      for (std::size_t row = 0; row < kRows; ++row) {
        const double away = values[row * channels + c] - mean;
        variance += away * away / 1e3;
      }
      EXPECT_NEAR(measured[c].mean, mean, 1e-5) << c << " of " << channels;
      EXPECT_NEAR(measured[c].variance, variance, 1e-3) << c << " of " << channels;
    }
  }
}

}  // namespace
}  // namespace bitpilot
