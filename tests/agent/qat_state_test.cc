// The parts of training that are plain data: step search, Adam, per-width state, the stream of
// images.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <vector>

#include "agent/qat/adam.h"
#include "agent/qat/channel_statistics.h"
#include "agent/qat/image_batch.h"
#include "agent/qat/loss_summary.h"
#include "agent/qat/state_bank.h"
#include "agent/qat/step_search.h"
#include "agent/qat/train_options.h"
#include "agent/qat/training_stream.h"

namespace bitpilot {
namespace {

TEST(SearchWeightStepTest, OneBitTakesTheMeanMagnitude) {
  const std::vector<float> weights{-1.0F, 3.0F, 0.0F, 4.0F};
  EXPECT_EQ(SearchWeightStep(weights, 1), 2.0F);
}

TEST(SearchWeightStepTest, KeepsWeightsThatAreAlreadyOnTheGrid) {
  const std::vector<float> weights{-1.75F, -0.5F, 0.25F, 1.0F, 1.5F};  // 0.25 x {-7, -2, 1, 4, 6}
  EXPECT_EQ(SearchWeightStep(weights, 4), 0.25F);
}

TEST(SearchWeightStepTest, ClipsAnOutlierRatherThanLosingTheRest) {
  std::vector<float> weights(1000, 0.1F);
  for (std::size_t i = 0; i < weights.size(); i += 2) weights[i] = -0.05F;
  weights[7] = 0.4F;
  const LevelRange range = WeightRange(2);
  const float step = SearchWeightStep(weights, 2);
  EXPECT_LT(step, 0.2F);
  EXPECT_LT(QuantizationError(weights.data(), weights.size(), step, range),
            QuantizationError(weights.data(), weights.size(), 0.4F, range));
}

TEST(SearchWeightStepTest, GivesZerosAPositiveStep) {
  const std::vector<float> weights(9, 0.0F);
  for (int bits = 1; bits <= 8; ++bits) EXPECT_GT(SearchWeightStep(weights, bits), 0.0F);
}

TEST(SearchActivationStepTest, PutsTheZeroPointWhereZeroLies) {
  std::vector<float> values;
  for (int i = 0; i < 256; ++i) values.push_back(static_cast<float>(i - 64));
  EXPECT_EQ(SearchActivationStep(values, 8, false), (ActivationStep{1.0F, 64}));
}

TEST(SearchActivationStepTest, IgnoresNegativeValuesWhereReluCutsThem) {
  const std::vector<float> values{-100.0F, 0.0F, 1.0F, 2.0F, 3.0F};
  EXPECT_EQ(SearchActivationStep(values, 2, true), (ActivationStep{1.0F, 0}));
}

TEST(SearchActivationStepTest, AcceptsATensorOfZeros) {
  const std::vector<float> values(100, 0.0F);
  EXPECT_EQ(SearchActivationStep(values, 4, true), (ActivationStep{1.0F, 0}));
}

// The first update is learning_rate in the gradient's direction, whatever the gradient's size: m
// and sqrt(v) are both |g| once their bias is corrected.
TEST(AdamUpdateTest, FirstUpdateHasTheSizeOfTheLearningRate) {
  std::vector<float> values{1.0F, 1.0F, 1.0F};
  AdamMoments moments(3);
  AdamUpdate(values, std::vector<float>{1e-3F, -50.0F, 0.0F}, 0.01, moments);
  EXPECT_NEAR(values[0], 0.99, 1e-6);
  EXPECT_NEAR(values[1], 1.01, 1e-6);
  EXPECT_EQ(values[2], 1.0F);
  EXPECT_EQ(moments.updates, 1);
}

// Second update by hand, gradients 1 and then -1: m = 0.9 * 0.1 - 0.1 = -0.01, corrected / (1 -
// 0.81); v = 0.999 * 0.001 + 0.001, corrected / (1 - 0.998001) = 1.
TEST(AdamUpdateTest, SecondUpdateWeighsBothGradients) {
  std::vector<float> values{0.0F};
  AdamMoments moments(1);
  AdamUpdate(values, std::vector<float>{1.0F}, 0.1, moments);
  AdamUpdate(values, std::vector<float>{-1.0F}, 0.1, moments);
  EXPECT_NEAR(values[0], -0.1 + 0.1 * (0.01 / 0.19), 1e-5);
}

TEST(AdamUpdateStepTest, MovesAStepByAFractionOfItself) {
  LearnedStep small{1e-3F};
  LearnedStep large{100.0F};
  AdamUpdateStep(small, 5.0F, 0.01);
  AdamUpdateStep(large, -5.0F, 0.01);
  EXPECT_NEAR(small.step, 1e-3 * std::exp(-0.01), 1e-7);
  EXPECT_NEAR(large.step, 100.0 * std::exp(0.01), 1e-3);
  EXPECT_EQ(small.updates, 1);
}

TEST(MeasureChannelsTest, EqualsHandComputedMoments) {
  const std::vector<float> values{1.0F, 10.0F, 3.0F, 10.0F};  // [2 rows, 2 channels]
  const std::vector<ChannelStatistics> statistics = MeasureChannels(values, 2);
  EXPECT_EQ(statistics[0], (ChannelStatistics{2.0F, 1.0F}));
  EXPECT_EQ(statistics[1], (ChannelStatistics{10.0F, 0.0F}));
}

LayerState OneChannelLayer() {
  LayerState layer;
  for (std::vector<LearnedStep>& steps : layer) steps.resize(1);
  return layer;
}

TEST(PrepareLayerTest, KeepsATrainedWidthAndSearchesAnUntrainedOne) {
  LayerState layer = OneChannelLayer();
  layer[3][0] = {0.125F, 0.0F, 0.0F, 10};  // 4 bits, trained
  const std::vector<float> weights{-3.0F, 5.0F};
  PrepareLayer(layer, weights, std::vector<int>{4});
  EXPECT_EQ(layer[3][0].step, 0.125F);
  PrepareLayer(layer, weights, std::vector<int>{1});
  EXPECT_EQ(layer[0][0].step, 4.0F);
}

TEST(ForgetWidthsTest, ForgetsTheWidthsInUseAndNoOthers) {
  StateBank bank;
  bank.layers.push_back(OneChannelLayer());
  bank.tensors.resize(2);
  for (const std::size_t width : {3U, 7U}) {
    bank.layers[0][width][0] = {0.5F, 0.1F, 0.1F, 9};
    bank.tensors[1][width].learned = {0.25F, 0.1F, 0.1F, 9};
  }
  const StateBank before = bank;
  ForgetWidths({{{{1, 4}}}, {8, 4}}, bank);
  EXPECT_EQ(bank.layers[0][3][0], LearnedStep{});
  EXPECT_EQ(bank.tensors[1][3].learned, LearnedStep{});
  EXPECT_EQ(bank.layers[0][7], before.layers[0][7]);
  EXPECT_EQ(bank.tensors[1][7], before.tensors[1][7]);
}

TEST(PrepareTensorTest, RescalesANewWidthByWhatTrainingDidToItsNeighbour) {
  TensorState tensor;
  tensor[3].calibrated_step = 1.0F;
  tensor[4].calibrated_step = 0.5F;
  tensor[4].learned = {0.75F, 0.0F, 0.0F, 7};  // 5 bits: grown by half in training
  EXPECT_TRUE(PrepareTensor(tensor, 4));
  EXPECT_EQ(tensor[3].learned.step, 1.5F);
  EXPECT_TRUE(PrepareTensor(tensor, 5));
  EXPECT_EQ(tensor[4].learned.step, 0.75F);
  EXPECT_FALSE(PrepareTensor(tensor, 2));
}

// Half a cosine over two mini-batches: (1 + cos(pi / 4)) / 2 and (1 + cos(3 pi / 4)) / 2.
TEST(LearningRateTest, FallsByHalfACosineBetweenItsTwoShares) {
  TrainOptions options;
  options.learning_rate = 2.0;
  options.rate_end = 0.0;
  EXPECT_NEAR(LearningRate(options, 0, 2), 2.0 * 0.8535534, 1e-6);
  EXPECT_NEAR(LearningRate(options, 1, 2), 2.0 * 0.1464466, 1e-6);
  options.rate_begin = 0.5;
  options.rate_end = 0.25;
  EXPECT_NEAR(LearningRate(options, 0, 2), 2.0 * (0.25 + 0.25 * 0.8535534), 1e-6);
  options.rate_end = 0.5;
  EXPECT_EQ(LearningRate(options, 1, 2), 1.0);
}

TEST(LearningRateTest, KeepsOneScheduleOverSeveralCalls) {
  TrainOptions whole;
  whole.rate_end = 0.0;
  TrainOptions part = whole;
  part.schedule_batches = 10;
  for (std::int64_t batch = 0; batch < 10; ++batch) {
    part.schedule_position = batch / 4 * 4;  // calls of 4 mini-batches
    EXPECT_EQ(LearningRate(part, batch % 4, 4), LearningRate(whole, batch, 10));
  }
  part.schedule_position = 11;
  EXPECT_EQ(LearningRate(part, 0, 4), 0.0);
}

// Mean 2.5, squared differences 2.25 + .25 + .25 + 2.25 = 5: sqrt(5 / 3 / 4).
TEST(SummarizeLossesTest, GivesTheStandardErrorOfTheMean) {
  Evaluation evaluation;
  SummarizeLosses(std::vector<double>{1.0, 2.0, 3.0, 4.0}, evaluation);
  EXPECT_EQ(evaluation.loss, 2.5);
  EXPECT_NEAR(evaluation.loss_error, 0.6454972, 1e-6);
  SummarizeLosses(std::vector<double>{3.0}, evaluation);
  EXPECT_EQ(evaluation.loss, 3.0);
  EXPECT_EQ(evaluation.loss_error, 0.0);
}

TEST(TrainingStreamTest, VisitsEveryImageOnceAnEpoch) {
  TrainingStream stream(11);
  std::set<std::uint32_t> seen;
  for (int batch = 0; batch < 5; ++batch) {
    for (const std::uint32_t index : stream.NextBatch(20, 100)) seen.insert(index);
  }
  EXPECT_EQ(seen.size(), 100U);
  EXPECT_EQ(*seen.rbegin(), 99U);
}

TEST(TrainingStreamTest, ContinuesFromARestoredState) {
  TrainingStream stream(11);
  stream.NextBatch(7, 30);
  stream.NextAugmentation(4, CropBorder::kEdge);
  TrainingStream copy(99);
  ASSERT_TRUE(copy.Restore(stream.generator_state(), stream.order(), stream.position()).ok());
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(copy.NextBatch(7, 30), stream.NextBatch(7, 30));
    const Augmentation a = copy.NextAugmentation(4, CropBorder::kEdge);
    const Augmentation b = stream.NextAugmentation(4, CropBorder::kEdge);
    EXPECT_TRUE(a.dy == b.dy && a.dx == b.dx && a.flip == b.flip);
    EXPECT_LE(std::max(std::abs(a.dy), std::abs(a.dx)), 4);
  }
}

TEST(TrainingStreamTest, RefusesAStateThatIsNone) {
  TrainingStream stream(11);
  const std::string state = stream.generator_state();
  EXPECT_EQ(stream.Restore("no numbers", {}, 0).code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(stream.Restore(state, {0, 2}, 0).code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(stream.Restore(state, {1, 0}, 3).code(), StatusCode::kDataCorrupt);
}

// One channel, 2 x 2: the crop moves the picture up and left by one pixel, then mirrors it.
TEST(WriteImageTest, CropsThenMirrors) {
  PixelTable table;
  for (int pixel = 0; pixel < 256; ++pixel) table.values.push_back(static_cast<float>(pixel));
  const std::vector<std::uint8_t> pixels{1, 2, 3, 4};
  const TensorShape shape{2, 2, 1};
  std::vector<float> out(4);
  WriteImage(pixels, shape, table, {}, out);
  EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 4}));
  WriteImage(pixels, shape, table, {.dy = 1, .dx = 1, .flip = false}, out);
  EXPECT_EQ(out, (std::vector<float>{4, 0, 0, 0}));
  WriteImage(pixels, shape, table, {.dy = 1, .dx = 1, .flip = true}, out);
  EXPECT_EQ(out, (std::vector<float>{0, 4, 0, 0}));
  const CropBorder edge = CropBorder::kEdge;
  WriteImage(pixels, shape, table, {.dy = 1, .dx = 0, .flip = false, .border = edge}, out);
  EXPECT_EQ(out, (std::vector<float>{3, 4, 3, 4}));
  WriteImage(pixels, shape, table, {.dy = -4, .dx = 4, .flip = true, .border = edge}, out);
  EXPECT_EQ(out, (std::vector<float>{2, 2, 2, 2}));
}

TEST(QuantizeInputTest, IsExactForPlainPixels) {
  ModelDefinition definition;
  definition.pixel_scale = {1.0F};
  definition.pixel_offset = {0.0F};
  const InputQuantization input = QuantizeInput(definition);
  EXPECT_EQ(input.scale, 1.0F);
  EXPECT_EQ(input.zero_point, 0);
  for (int pixel = 0; pixel < 256; ++pixel) {
    EXPECT_EQ(input.codes[static_cast<std::size_t>(pixel)], pixel);
  }
}

TEST(QuantizeInputTest, StaysWithinHalfAStepOfNormalizedPixels) {
  ModelDefinition definition;
  definition.pixel_scale = {0.017F, 0.018F};
  definition.pixel_offset = {-2.1F, -1.8F};
  const InputQuantization input = QuantizeInput(definition);
  const std::vector<float> exact = FloatPixelTable(definition).values;
  const std::vector<float> quantized = input.Dequantized().values;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    // One step where the zero point's own rounding adds to the value's.
    EXPECT_NEAR(quantized[i], exact[i], input.scale);
  }
}

}  // namespace
}  // namespace bitpilot
