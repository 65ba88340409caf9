// Distillation from another float network.
#include <gtest/gtest.h>

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
  const std::optional<double> loss = plain.Train(Sample().train, 1, SmallBatches());
  EXPECT_EQ(taught.Train(Sample().train, 1, SmallBatches()), loss);
  EXPECT_EQ(taught.SaveCheckpoint(), plain.SaveCheckpoint());
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
  const std::optional<double> loss = taught.Train(Sample().train, 1, options);
  EXPECT_NE(loss, plain.Train(Sample().train, 1, options));
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
