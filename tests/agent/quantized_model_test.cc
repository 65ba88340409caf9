// Quantization-aware training end to end, on the ResNet-8 and the images that the repository ships.
#include "agent/qat/quantized_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/qat/integer_evaluation.h"
#include "agent/qat/sensitivity.h"
#include "tests/agent/sample_model.h"

namespace bitpilot {
namespace {

// Runs of three widths inside every layer but the last, in an order that is not sorted.
BitAssignment WithChannelRuns() {
  BitAssignment assignment = Uniform(4, 4);
  for (std::size_t l = 0; l + 1 < assignment.weight_bits.size(); ++l) {
    const int channels = assignment.weight_bits[l][0].channels;
    assignment.weight_bits[l] = {{channels / 4, 3}, {channels / 2, 8}, {channels / 4, 5}};
  }
  return assignment;
}

double Agreement(const Evaluation& a, const Evaluation& b) {
  EXPECT_EQ(a.predictions.size(), b.predictions.size());
  std::size_t same = 0;
  for (std::size_t i = 0; i < a.predictions.size(); ++i) {
    same += a.predictions[i] == b.predictions[i] ? 1U : 0U;
  }
  return static_cast<double>(same) / static_cast<double>(a.predictions.size());
}

// The figure of experiments/accuracy for these weights: 6976 of the first 8,000 test images, within
// 3 for another order of sums.
TEST(QuantizedModelTest, FloatNetworkReachesItsPublishedAccuracy) {
  const std::string path = BITPILOT_SOURCE_DIR "/../shared/data/cifar10/test.bin.xz";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << path;
  const Result<ImageDataset> test = ReadCifar10File(path);
  ASSERT_TRUE(test.ok()) << test.status().message();
  const Evaluation evaluation = MakeModel().EvaluateFloat(*test);
  EXPECT_NEAR(evaluation.accuracy * static_cast<double>(test->size()), 6976.0, 3.0);
}

TEST(QuantizedModelTest, EightBitsByCalibrationCostAtMostOnePoint) {
  QuantizedModel model = MakeModel();
  EXPECT_FALSE(model.is_calibrated());
  model.Calibrate(Sample().train);
  ASSERT_TRUE(model.is_calibrated());
  const ImageDataset images = Sample().validation.Slice(0, 500);
  const Evaluation exact = model.EvaluateFloat(images);
  const Evaluation quantized = model.Evaluate(images);
  EXPECT_GE(quantized.accuracy, exact.accuracy - 0.01);
  EXPECT_NEAR(quantized.loss, exact.loss, 0.02);
}

TEST(QuantizedModelTest, IntegerNetworkPredictsWhatTheFakeQuantizedOneDoes) {
  QuantizedModel model = MakeModel();
  model.Calibrate(Sample().train);
  for (const BitAssignment& assignment : {Uniform(4, 4), WithChannelRuns(), Uniform(1, 8)}) {
    ASSERT_TRUE(model.SetAssignment(assignment).ok());
    model.Calibrate(Sample().train);
    const Network network = model.Export();
    ASSERT_TRUE(ValidateNetwork(network).ok()) << ValidateNetwork(network).message();
    EXPECT_EQ(AssignmentOf(network), assignment);
    const ImageDataset images = Sample().validation.Slice(0, 600);
    const Result<Evaluation> integer = EvaluateInteger(network, images);
    ASSERT_TRUE(integer.ok()) << integer.status().message();
    EXPECT_GE(Agreement(model.Evaluate(images), *integer), 0.995) << ToString(assignment);
  }
}

TEST(QuantizedModelTest, SwitchingWidthsRestoresTheirState) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  model.Train(FewImages(), 3, SmallBatches());
  const std::string trained = model.SaveCheckpoint();
  ASSERT_TRUE(model.SetAssignment(WithChannelRuns()).ok());
  EXPECT_NE(model.SaveCheckpoint(), trained);
  const Network visited = model.Export();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  QuantizedModel original = MakeModel();
  ASSERT_TRUE(original.LoadCheckpoint(trained).ok());
  for (QuantizedModel* read : {&model, &original}) {
    ASSERT_TRUE(read->ReestimateBatchNorm(FewImages(), 1).ok());
  }
  EXPECT_EQ(model.Export(), original.Export());
  EXPECT_NE(model.Export(), visited);
}

TEST(QuantizedModelTest, TrainingAtOneWidthLeavesTheStateOfOthers) {
  QuantizedModel model = MakeModel();
  model.Calibrate(FewImages());
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  model.Train(FewImages(), 2, SmallBatches());
  const Network before = model.Export();
  ASSERT_TRUE(model.SetAssignment(Uniform(2, 3)).ok());
  model.Train(FewImages(), 2, SmallBatches());
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  const Network after = model.Export();
  // The tensors between the ends: 4-bit step sizes are as training at 4 bits left them.
  for (std::size_t t = 1; t < before.tensors.size(); ++t) {
    if (before.tensors[t].bits != 4) continue;
    EXPECT_EQ(after.tensors[t], before.tensors[t]) << "tensor " << t;
  }
}

TEST(QuantizedModelTest, TrainingRecoversAccuracyThatLowBitsLost) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(3, 3)).ok());
  model.Calibrate(Sample().train);
  const ImageDataset images = Sample().validation.Slice(0, 500);
  const double calibrated = model.Evaluate(images).loss;
  TrainOptions options;
  options.batch_size = 64;
  options.learning_rate = 2e-4;
  model.Train(Sample().train, 25, options);
  EXPECT_EQ(model.batches_trained(), 25);
  ASSERT_TRUE(model.ReestimateBatchNorm(Sample().train).ok());
  EXPECT_LT(model.Evaluate(images).loss, 0.95 * calibrated);
}

TEST(QuantizedModelTest, ResumedTrainingIsBitExact) {
  QuantizedModel whole = MakeModel(5);
  QuantizedModel first_half = MakeModel(5);
  QuantizedModel second_half = MakeModel(77);
  for (QuantizedModel* model : {&whole, &first_half}) {
    ASSERT_TRUE(model->SetAssignment(WithChannelRuns()).ok());
  }
  whole.Train(FewImages(), 4, SmallBatches());
  first_half.Train(FewImages(), 2, SmallBatches());
  ASSERT_TRUE(second_half.LoadCheckpoint(first_half.SaveCheckpoint()).ok());
  EXPECT_EQ(second_half.assignment(), WithChannelRuns());
  second_half.Train(FewImages(), 2, SmallBatches());
  EXPECT_EQ(second_half.SaveCheckpoint(), whole.SaveCheckpoint());
}

TEST(QuantizedModelTest, SeedDecidesTheBatches) {
  QuantizedModel a = MakeModel(1);
  QuantizedModel b = MakeModel(2);
  EXPECT_NE(a.Train(FewImages(), 1, SmallBatches()), b.Train(FewImages(), 1, SmallBatches()));
}

TEST(QuantizedModelTest, StopsBetweenBatches) {
  QuantizedModel model = MakeModel();
  int asked = 0;
  model.Train(FewImages(), 100, SmallBatches(), [&] { return ++asked > 2; });
  EXPECT_EQ(model.batches_trained(), 2);
}

TEST(QuantizedModelTest, RefusesDamagedCheckpointsAndKeepsItsState) {
  QuantizedModel model = MakeModel();
  model.Calibrate(FewImages());
  const std::string saved = model.SaveCheckpoint();
  std::string flipped = saved;
  flipped[saved.size() / 2] = static_cast<char>(flipped[saved.size() / 2] ^ 1);
  EXPECT_EQ(model.LoadCheckpoint(flipped).code(), StatusCode::kDataCorrupt);
  EXPECT_EQ(model.LoadCheckpoint(saved.substr(0, saved.size() - 5)).code(),
            StatusCode::kDataCorrupt);
  EXPECT_EQ(model.LoadCheckpoint("").code(), StatusCode::kDataCorrupt);
  std::string newer = saved;
  newer[7] = '9';
  EXPECT_EQ(model.LoadCheckpoint(newer).code(), StatusCode::kVersionMismatch);
  EXPECT_EQ(model.SaveCheckpoint(), saved);
}

TEST(QuantizedModelTest, SavedWeightsBringTheirWidthsBack) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  model.Train(FewImages(), 2, SmallBatches());
  const std::string path =
      testing::TempDir() + "trained-" + std::to_string(getpid()) + ".safetensors";
  ASSERT_TRUE(model.ReestimateBatchNorm(FewImages(), 1).ok());
  ASSERT_TRUE(model.SaveWeights(path).ok());
  Result<QuantizedModel> loaded = QuantizedModel::Create(Resnet8(), path, 1);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  EXPECT_TRUE(loaded->was_loaded_trained());
  EXPECT_EQ(loaded->assignment(), Uniform(4, 4));
  EXPECT_TRUE(loaded->is_estimated());
  EXPECT_EQ(loaded->Export(), model.Export());
  // Batch norm at other widths is not in the file.
  ASSERT_TRUE(loaded->SetAssignment(Uniform(8, 8)).ok());
  EXPECT_FALSE(loaded->is_estimated());
  std::filesystem::remove(path);
}

TEST(QuantizedModelTest, RefusesAnAssignmentOfAnotherNetwork) {
  QuantizedModel model = MakeModel();
  BitAssignment assignment = Uniform(4, 4);
  assignment.activation_bits.pop_back();
  EXPECT_EQ(model.SetAssignment(assignment).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(model.assignment(), Uniform(8, 8));
}

TEST(QuantizedModelTest, NamesAWeightFileThatIsMissing) {
  const Result<QuantizedModel> model =
      QuantizedModel::Create(Resnet8(), "/nowhere/w.safetensors", 1);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.status().code(), StatusCode::kNotFound);
  EXPECT_NE(model.status().message().find("/nowhere/w.safetensors"), std::string::npos);
}

std::vector<DecisionVariable> TwoVariables() {
  using Kind = DecisionVariable::Kind;
  return {{Kind::kWeights, 4, "a layer", {2, 4, 8}, {}},
          {Kind::kActivations, 5, "a tensor", {1, 8}, {}}};
}

TEST(ProbeSensitivityTest, FewerBitsCostMoreAndEightCostNothing) {
  QuantizedModel model = MakeModel();
  const ImageDataset images = Sample().train.Slice(0, 128);
  const auto increases = ProbeSensitivity(model, images, TwoVariables());
  ASSERT_TRUE(increases.ok()) << increases.status().message();
  const std::vector<double>& weights = (*increases)[0];
  EXPECT_GT(weights[0], weights[1]);
  EXPECT_GT(weights[1], 0.0);
  EXPECT_EQ(weights[2], 0.0);
  EXPECT_GT((*increases)[1][0], 0.0);
  EXPECT_EQ((*increases)[1][1], 0.0);
}

// Groups of one layer are probed one by one; together they are the layer.
TEST(ProbeSensitivityTest, ChannelsAndTiesAreProbedToo) {
  QuantizedModel model = MakeModel();
  const ImageDataset images = Sample().train.Slice(0, 128);
  using Kind = DecisionVariable::Kind;
  DecisionVariable layer{Kind::kWeights, 4, "a layer", {2, 8}, {}};
  DecisionVariable group = layer;
  group.channels = {0, 16};
  DecisionVariable rest = layer;
  rest.channels = {16, 16};
  DecisionVariable tied = group;
  tied.ties = {{Kind::kWeights, 4, {16, 16}}};
  const auto increases = ProbeSensitivity(model, images, {layer, group, rest, tied});
  ASSERT_TRUE(increases.ok()) << increases.status().message();
  const auto at_2_bits = [&](std::size_t variable) { return (*increases)[variable][0]; };
  EXPECT_GT(at_2_bits(1), 0.0);
  EXPECT_GT(at_2_bits(2), 0.0);
  EXPECT_LT(at_2_bits(1), at_2_bits(0));
  EXPECT_LT(at_2_bits(2), at_2_bits(0));
  EXPECT_EQ(at_2_bits(3), at_2_bits(0)) << "the two groups tied are the layer";
  EXPECT_EQ((*increases)[1][1], 0.0);
}

TEST(ProbeSensitivityTest, LeavesTheModelAsItWas) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  model.Train(FewImages(), 1, SmallBatches());
  const std::string before = model.SaveCheckpoint();
  ASSERT_TRUE(ProbeSensitivity(model, Sample().train.Slice(0, 64), TwoVariables()).ok());
  EXPECT_EQ(model.SaveCheckpoint(), before);
}

TEST(ProbeSensitivityTest, StopsWhenAsked) {
  QuantizedModel model = MakeModel();
  const auto stop = [](int, const std::string&) { return false; };
  const auto increases = ProbeSensitivity(model, Sample().train.Slice(0, 32), TwoVariables(), stop);
  EXPECT_EQ(increases.status().code(), StatusCode::kAborted);
}

TEST(EvaluateIntegerTest, RefusesImagesOfAnotherShape) {
  const Network network = RandomNetwork(Resnet8().topology, Uniform(8, 8), 1);
  ImageDataset images = Sample().validation.Slice(0, 1);
  images.shape = {16, 64, 3};
  EXPECT_EQ(EvaluateInteger(network, images).status().code(), StatusCode::kInvalidArgument);
}

// At this rate the first update leaves weights whose products are no finite numbers.
TEST(QuantizedModelTest, SaysThatTrainingDivergedAndGoesOnFromAnEarlierState) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  model.Calibrate(FewImages());
  const std::string before = model.SaveCheckpoint();
  TrainOptions wild = SmallBatches();
  wild.learning_rate = 1e30;
  EXPECT_FALSE(model.Train(FewImages(), 3, wild).has_value());
  ASSERT_TRUE(model.LoadCheckpoint(before).ok());
  EXPECT_EQ(model.SaveCheckpoint(), before);
  const std::optional<double> loss = model.Train(FewImages(), 2, SmallBatches());
  ASSERT_TRUE(loss.has_value());
  EXPECT_TRUE(std::isfinite(*loss));

  QuantizedModel calm = MakeModel();
  ASSERT_TRUE(calm.LoadCheckpoint(before).ok());
  EXPECT_EQ(calm.Train(FewImages(), 2, SmallBatches()), loss);
  EXPECT_EQ(calm.SaveCheckpoint(), model.SaveCheckpoint());
}

// One mini-batch whose own loss is fine: what it leaves behind is not.
TEST(QuantizedModelTest, LooksAtWhatTheLastUpdateLeft) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  model.Calibrate(FewImages());
  TrainOptions wild = SmallBatches();
  wild.learning_rate = 1e39;  // beyond float
  EXPECT_FALSE(model.Train(FewImages(), 1, wild).has_value());
}

}  // namespace
}  // namespace bitpilot
