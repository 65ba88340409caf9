// Readings between training: batch norm and ranges estimated for the current weights and widths.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "agent/qat/integer_evaluation.h"
#include "agent/qat/sensitivity.h"
#include "tests/agent/sample_model.h"

namespace bitpilot {
namespace {

double LossAfter(QuantizedModel& model, const ImageDataset& read, const ImageDataset& images) {
  const Status estimated = model.ReestimateBatchNorm(read);
  EXPECT_TRUE(estimated.ok()) << estimated.message();
  return model.Evaluate(images).loss;
}

// The sample has no more training images than the default reads; others give the same loss within
// the noise of both, a thirteenth at 4 bits. Stale statistics give several times the loss.
TEST(ReestimateBatchNormTest, GivesTheSameLossFromOtherImagesRightAfterASwitch) {
  QuantizedModel model = MakeModel();
  const ImageDataset images = Sample().validation.Slice(0, 500);
  for (const int bits : {8, 4, 8, 4}) {
    ASSERT_TRUE(model.SetAssignment(Uniform(bits, bits)).ok());
    if (model.batches_trained() >= 8) {
      const double expected = LossAfter(model, Sample().test, images);
      EXPECT_NEAR(LossAfter(model, Sample().train, images), expected, 0.1 * expected) << bits;
    }
    ASSERT_TRUE(model.Train(Sample().train, 4, SmallBatches()).has_value());
  }
}

// The statistics of whole images cost ResNet-20 two and a half points before any training: its weights were
// trained on images cropped out of a black border.
TEST(ReestimateBatchNormTest, TakesImagesAsTheWeightsWereTrainedOnThem) {
  const std::string weights =
      BITPILOT_SOURCE_DIR "/../shared/data/cifar10_resnet/resnet20.safetensors";
  if (!std::filesystem::exists(weights)) GTEST_SKIP() << "needs " << weights;
  const ModelDefinition definition = FindModel("resnet20").value();
  EXPECT_TRUE(definition.estimates_on_crops);
  EXPECT_FALSE(FindModel("resnet8").value().estimates_on_crops);
  EXPECT_EQ(FindModel("resnet8").value().crop_border, CropBorder::kEdge);
  const ImageDataset images = Sample().validation.Slice(0, 1000);
  const auto loss_of = [&](const ModelDefinition& of) {
    QuantizedModel model = QuantizedModel::Create(of, weights, 1).value();
    return LossAfter(model, Sample().train, images);
  };
  QuantizedModel calibrated = QuantizedModel::Create(definition, weights, 1).value();
  calibrated.Calibrate(Sample().train);
  const double expected = calibrated.Evaluate(images).loss;
  EXPECT_NEAR(loss_of(definition), expected, 0.05);
  EXPECT_EQ(loss_of(definition), loss_of(definition));
  ModelDefinition whole = definition;
  whole.estimates_on_crops = false;
  EXPECT_GT(loss_of(whole), expected + 0.03);
}

TEST(ReestimateBatchNormTest, ChangesNothingThatTrainingDoes) {
  QuantizedModel read = MakeModel();
  QuantizedModel unread = MakeModel();
  for (QuantizedModel* model : {&read, &unread}) {
    ASSERT_TRUE(model->SetAssignment(Uniform(2, 4)).ok());
    ASSERT_TRUE(model->Train(FewImages(), 1, SmallBatches()).has_value());
    ASSERT_TRUE(model->SetAssignment(Uniform(8, 8)).ok());
  }
  ASSERT_TRUE(read.ReestimateBatchNorm(FewImages(), 2, 32).ok());
  EXPECT_EQ(read.SaveCheckpoint(), unread.SaveCheckpoint());
  EXPECT_EQ(read.Train(FewImages(), 1, SmallBatches()),
            unread.Train(FewImages(), 1, SmallBatches()));
  EXPECT_EQ(read.SaveCheckpoint(), unread.SaveCheckpoint());
}

TEST(ReestimateBatchNormTest, DoesNotKeepANeverCalibratedModelFromCalibrating) {
  QuantizedModel read = MakeModel();
  QuantizedModel unread = MakeModel();
  ASSERT_TRUE(read.ReestimateBatchNorm(FewImages(), 1, 32).ok());
  EXPECT_TRUE(read.is_calibrated());
  EXPECT_EQ(read.Train(FewImages(), 1, SmallBatches()),
            unread.Train(FewImages(), 1, SmallBatches()));
  EXPECT_EQ(read.SaveCheckpoint(), unread.SaveCheckpoint());
}

TEST(ReestimateBatchNormTest, HoldsUntilWeightsOrWidthsChange) {
  QuantizedModel model = MakeModel();
  EXPECT_FALSE(model.is_estimated());
  ASSERT_TRUE(model.ReestimateBatchNorm(FewImages(), 1, 32).ok());
  EXPECT_TRUE(model.is_estimated());
  const std::string place = model.SaveCheckpoint();
  ASSERT_TRUE(model.SetAssignment(Uniform(8, 8)).ok());  // as it was
  EXPECT_TRUE(model.is_estimated());
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 8)).ok());
  EXPECT_FALSE(model.is_estimated());
  ASSERT_TRUE(model.ReestimateBatchNorm(FewImages(), 1, 32).ok());
  ASSERT_TRUE(model.Train(FewImages(), 1, SmallBatches()).has_value());
  EXPECT_FALSE(model.is_estimated());
  ASSERT_TRUE(model.ReestimateBatchNorm(FewImages(), 1, 32).ok());
  ASSERT_TRUE(model.LoadCheckpoint(place).ok());
  EXPECT_FALSE(model.is_estimated());
}

TEST(ReestimateBatchNormTest, KeepsStepSizesThatTrainingLearned) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  ASSERT_TRUE(model.Train(FewImages(), 1, SmallBatches()).has_value());
  const Network trained = model.Export();
  ASSERT_TRUE(model.ReestimateBatchNorm(FewImages(), 1, 32).ok());
  const Network read = model.Export();
  for (std::size_t t = 1; t < trained.tensors.size(); ++t) {
    EXPECT_EQ(read.tensors[t], trained.tensors[t]) << "tensor " << t;
  }
  EXPECT_NE(read, trained);
}

// A rate at which 12 mini-batches at 2 bits move the weights far from where 8 bits were calibrated.
TEST(ReestimateBatchNormTest, ReadsWeightsTrainedAtTwoBitsRightAtEight) {
  QuantizedModel model = MakeModel();
  model.Calibrate(Sample().train);
  ASSERT_TRUE(model.SetAssignment(Uniform(2, 4)).ok());
  TrainOptions options = SmallBatches();
  options.learning_rate = 2e-3;
  ASSERT_TRUE(model.Train(Sample().train, 12, options).has_value());
  ASSERT_TRUE(model.ReestimateBatchNorm(Sample().train).ok());
  const std::string path =
      testing::TempDir() + "two-bits-" + std::to_string(getpid()) + ".safetensors";
  ASSERT_TRUE(model.SaveWeights(path).ok());

  const ImageDataset images = Sample().validation.Slice(0, 500);
  ASSERT_TRUE(model.SetAssignment(Uniform(8, 8)).ok());
  ASSERT_TRUE(model.ReestimateBatchNorm(Sample().test).ok());
  const Evaluation truth = model.Evaluate(images);
  Result<QuantizedModel> loaded = QuantizedModel::Create(Resnet8(), path, 1);
  std::filesystem::remove(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  ASSERT_TRUE(loaded->SetAssignment(Uniform(8, 8)).ok());
  ASSERT_TRUE(loaded->ReestimateBatchNorm(Sample().train).ok());
  const Evaluation read = loaded->Evaluate(images);
  EXPECT_NEAR(read.accuracy, truth.accuracy, 0.03);
  EXPECT_NEAR(read.loss, truth.loss, 0.05 * truth.loss);
  const Result<Evaluation> integer = EvaluateInteger(loaded->Export(), images);
  ASSERT_TRUE(integer.ok()) << integer.status().message();
  EXPECT_NEAR(integer->loss, read.loss, 0.02 * read.loss);
  // The change that quantization makes to the float network would be a wrong correction here.
  loaded->Calibrate(Sample().train);
  EXPECT_NEAR(loaded->Evaluate(images).accuracy, truth.accuracy, 0.04);
}

TEST(ReestimateBatchNormTest, RefusesImagesThatTheNetworkCannotRead) {
  QuantizedModel model = MakeModel();
  EXPECT_EQ(model.ReestimateBatchNorm(Sample().train.Slice(0, 0), 1).code(),
            StatusCode::kInvalidArgument);
  ImageDataset wide = Sample().train.Slice(0, 8);
  wide.shape = {16, 64, 3};
  const Status refused = model.ReestimateBatchNorm(wide, 1);
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("3 x 16 x 64"), std::string::npos) << refused.message();
}

TEST(ReestimateBatchNormTest, SaysThatTrainingDiverged) {
  QuantizedModel model = MakeModel();
  TrainOptions wild = SmallBatches();
  wild.learning_rate = 1e30;
  ASSERT_FALSE(model.Train(FewImages(), 2, wild).has_value());
  EXPECT_EQ(model.ReestimateBatchNorm(FewImages(), 1, 32).code(), StatusCode::kUnsupported);
  EXPECT_FALSE(model.is_estimated());
}

// The end of a checkpoint: the stream of images, before the checksum.
std::string StreamOf(const std::string& checkpoint) {
  constexpr std::size_t kBytes = 9'000;
  constexpr std::size_t kDigest = 32;
  return checkpoint.substr(checkpoint.size() - kBytes - kDigest, kBytes);
}

TEST(CheckpointTest, SiblingsOfAPlaceTrainTheSameMiniBatches) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.Train(Sample().train, 1, SmallBatches()).has_value());
  const std::string place = model.SaveCheckpoint();
  std::vector<std::string> streams;
  for (const int bits : {4, 2}) {
    ASSERT_TRUE(model.LoadCheckpoint(place).ok());
    ASSERT_TRUE(model.SetAssignment(Uniform(bits, bits)).ok());
    ASSERT_TRUE(model.Train(Sample().train, 2, SmallBatches()).has_value());
    streams.push_back(StreamOf(model.SaveCheckpoint()));
  }
  EXPECT_EQ(streams[0], streams[1]);
  EXPECT_NE(streams[0], StreamOf(place));
}

TEST(DivergencesTest, AgreeWithTheProbeOfASingleVariable) {
  QuantizedModel model = MakeModel();
  const ImageDataset images = Sample().train.Slice(0, 64);
  const std::vector<DecisionVariable> variables{
      {DecisionVariable::Kind::kWeights, 4, "a layer", {2, 8}, {}}};
  const auto increases = ProbeSensitivity(model, images, variables);
  ASSERT_TRUE(increases.ok()) << increases.status().message();
  std::vector<BitAssignment> assignments(3, UniformAssignment(Resnet8().topology, 8, 8));
  assignments[1].weight_bits[4][0].bits = 2;
  assignments[2] = Uniform(2, 2);
  const auto divergences = model.Divergences(images, assignments);
  ASSERT_TRUE(divergences.ok()) << divergences.status().message();
  EXPECT_NEAR((*divergences)[1].value() - (*divergences)[0].value(), (*increases)[0][0], 1e-9);
  EXPECT_GT((*divergences)[0].value(), 0.0);
  EXPECT_GT((*divergences)[2].value(), (*divergences)[1].value());
}

TEST(DivergencesTest, LeaveTheModelAndItsEstimates) {
  QuantizedModel model = MakeModel();
  ASSERT_TRUE(model.SetAssignment(Uniform(4, 4)).ok());
  ASSERT_TRUE(model.Train(FewImages(), 1, SmallBatches()).has_value());
  ASSERT_TRUE(model.ReestimateBatchNorm(FewImages(), 1, 32).ok());
  const std::string before = model.SaveCheckpoint();
  const Network network = model.Export();
  const std::vector<BitAssignment> assignments{Uniform(3, 3)};
  ASSERT_TRUE(model.Divergences(Sample().train.Slice(0, 32), assignments).ok());
  EXPECT_EQ(model.SaveCheckpoint(), before);
  EXPECT_EQ(model.Export(), network);
}

TEST(DivergencesTest, RefuseAnAssignmentOfAnotherNetworkAndStopWhenAsked) {
  QuantizedModel model = MakeModel();
  std::vector<BitAssignment> assignments{Uniform(4, 4)};
  const ImageDataset images = Sample().train.Slice(0, 8);
  EXPECT_EQ(model.Divergences(images, assignments, [] { return true; }).status().code(),
            StatusCode::kAborted);
  assignments[0].weight_bits.pop_back();
  EXPECT_EQ(model.Divergences(images, assignments).status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot
