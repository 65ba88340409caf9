// Distillation from another float network.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "tests/agent/sample_model.h"

namespace bitpilot {
namespace {

// The same network as its own teacher: only if both see the same augmented images is nothing
// different.
TEST(TeacherTest, SeesTheSameAugmentedImages) {
  QuantizedModel plain = MakeModel();
  QuantizedModel taught = MakeModel();
  ASSERT_TRUE(taught.SetTeacher(Resnet8(), ShippedWeightsFile("resnet8").value()).ok());
  const std::optional<double> loss = plain.Train(FewImages(), 1, SmallBatches());
  EXPECT_EQ(taught.Train(FewImages(), 1, SmallBatches()), loss);
  EXPECT_EQ(taught.SaveCheckpoint(), plain.SaveCheckpoint());
}

// The loss is half the cross entropy and twice the divergence from the teacher. Both normalize by the same
// images, so that a student at 8 bits has little to learn from itself before it trains.
TEST(TeacherTest, StandsWhereItsStudentBeginsAtEightBits) {
  TrainOptions options = SmallBatches();
  options.learning_rate = 0.0;
  const std::optional<double> taught = MakeModel().Train(Sample().train, 4, options);
  options.distill = false;
  const std::optional<double> alone = MakeModel().Train(Sample().train, 4, options);
  ASSERT_TRUE(taught.has_value() && alone.has_value());
  const double divergence = (*taught - 0.5 * *alone) / 2.0;
  EXPECT_GE(divergence, 0.0);
  EXPECT_LT(divergence, 0.01);
}

// What the float network said of the mini-batch before is nothing that another teacher says.
TEST(TeacherTest, AnswersForItselfOnMiniBatchesThatAnotherOneSaw) {
  QuantizedModel trained = MakeModel();
  TrainOptions options = SmallBatches();
  options.learning_rate = 2e-3;
  ASSERT_TRUE(trained.Train(FewImages(), 4, options).has_value());
  ASSERT_TRUE(trained.ReestimateBatchNorm(FewImages(), 1).ok());
  const std::string path =
      testing::TempDir() + "other-teacher-" + std::to_string(getpid()) + ".safetensors";
  ASSERT_TRUE(trained.SaveWeights(path).ok());

  QuantizedModel changed = MakeModel();
  const std::string start = changed.SaveCheckpoint();
  const std::optional<double> first = changed.Train(FewImages(), 1, SmallBatches());
  ASSERT_TRUE(changed.LoadCheckpoint(start).ok());
  EXPECT_EQ(changed.Train(FewImages(), 1, SmallBatches()), first);
  ASSERT_TRUE(changed.LoadCheckpoint(start).ok());
  ASSERT_TRUE(changed.SetTeacher(Resnet8(), path).ok());
  QuantizedModel fresh = MakeModel();
  ASSERT_TRUE(fresh.SetTeacher(Resnet8(), path).ok());
  std::filesystem::remove(path);
  const std::optional<double> second = changed.Train(FewImages(), 1, SmallBatches());
  EXPECT_NE(second, first);
  EXPECT_EQ(second, fresh.Train(FewImages(), 1, SmallBatches()));
  EXPECT_EQ(changed.SaveCheckpoint(), fresh.SaveCheckpoint());
}

TEST(TeacherTest, MayBeALargerNetwork) {
  const std::string path =
      BITPILOT_SOURCE_DIR "/../shared/data/cifar10_resnet/resnet20.safetensors";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs " << path;
  QuantizedModel plain = MakeModel();
  QuantizedModel taught = MakeModel();
  const Status set = taught.SetTeacher(FindModel("resnet20").value(), path);
  ASSERT_TRUE(set.ok()) << set.message();
  TrainOptions options = SmallBatches();
  const std::optional<double> loss = taught.Train(FewImages(), 1, options);
  EXPECT_NE(loss, plain.Train(FewImages(), 1, options));
  EXPECT_TRUE(loss.has_value());
}

TEST(TeacherTest, NamesBothNetworksThatDoNotFit) {
  QuantizedModel model = MakeModel();
  const std::string before = model.SaveCheckpoint();
  ModelDefinition hundred = FindModel("resnet20").value();
  hundred.topology.operations.back().out_channels = 100;
  const Status refused = model.SetTeacher(hundred, "any.safetensors");
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  for (const char* part : {"resnet20", "resnet8", "100 classes", "10 classes"}) {
    EXPECT_NE(refused.message().find(part), std::string::npos) << refused.message();
  }
  EXPECT_EQ(model.SetTeacher(Resnet8(), "/nowhere/w.safetensors").code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitpilot
