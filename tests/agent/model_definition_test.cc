#include "agent/model/model_definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "agent/model/float_weights.h"
#include "agent/model/safetensors.h"
#include "agent/model/sample_data.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

ModelDefinition Model(std::string_view name) {
  Result<ModelDefinition> model = FindModel(name);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

std::string Resnet8File() {
  return std::string(BITPILOT_SOURCE_DIR) + "/experiments/data/resnet8.safetensors";
}

// ResNet-8's weights, changed by `change`, in a file of their own.
template <typename Change>
Status LoadChanged(Change change) {
  Result<SafetensorsFile> file = ReadSafetensors(Resnet8File());
  EXPECT_TRUE(file.ok()) << file.status().message();
  change(file.value());
  const std::string path =
      testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->name();
  EXPECT_TRUE(WriteSafetensors(path, *file).ok());
  const Status status = LoadFloatWeights(Model("resnet8"), path).status();
  std::filesystem::remove(path);
  EXPECT_TRUE(status.ok() || status.message().starts_with(path)) << status.message();
  return status;
}

TEST(ModelDefinitionTest, ListsKnownModelsForAnUnknownName) {
  const Status status = FindModel("resnet9").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(),
            "unknown model 'resnet9'; known: resnet8, resnet20, resnet32, resnet44, resnet56");
}

TEST(ModelDefinitionTest, EveryListedModelIsFound) {
  for (const std::string& name : ModelNames()) {
    const ModelDefinition model = Model(name);
    EXPECT_EQ(model.name, name);
    EXPECT_TRUE(ValidateTopology(model.topology).ok());
    EXPECT_EQ(model.layers.size(), LayerOperations(model.topology).size());
    EXPECT_EQ(model.pixel_scale.size(), 3U);
    EXPECT_EQ(model.pixel_offset.size(), 3U);
  }
}

// White (255) in ResNet-20's red channel: (1 - 0.485) / 0.229 = 2.2489; black: -0.485 / 0.229 =
// -2.1179.
TEST(ModelDefinitionTest, NormalizesPixelsAsTheNetworkWasTrained) {
  const ModelDefinition resnet20 = Model("resnet20");
  EXPECT_NEAR(255.0F * resnet20.pixel_scale[0] + resnet20.pixel_offset[0], 2.2489, 1e-4);
  EXPECT_NEAR(resnet20.pixel_offset[0], -2.1179, 1e-4);
  const ModelDefinition resnet8 = Model("resnet8");
  EXPECT_EQ(255.0F * resnet8.pixel_scale[2] + resnet8.pixel_offset[2], 255.0F);
}

TEST(FloatWeightsTest, ReadsResnet8WithItsShortcutsWithoutBatchNorm) {
  const Result<FloatWeights> weights = LoadFloatWeights(Model("resnet8"), Resnet8File());
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  ASSERT_EQ(weights->layers.size(), 10U);
  std::int64_t parameters = 0;
  for (const FloatLayerWeights& layer : weights->layers) {
    const bool plain =
        layer.name == "conv2d_5" || layer.name == "conv2d_8" || layer.name == "dense";
    EXPECT_EQ(layer.batch_norm.has_value(), !plain) << layer.name;
    EXPECT_EQ(layer.bias.size(), static_cast<std::size_t>(layer.shape[0])) << layer.name;
    if (layer.batch_norm) {
      EXPECT_EQ(layer.batch_norm->epsilon, 1e-3);
    }
    parameters += static_cast<std::int64_t>(layer.weight.size());
  }
  // 3x3: 16*3 + 2*16*16 + 32*16 + 32*32 + 64*32 + 64*64 = 8240 filters of 9; 1x1: 32*16 + 64*32;
  // 640 last.
  EXPECT_EQ(parameters, 8'240 * 9 + 2'560 + 640);
  EXPECT_THAT(weights->layers.back().shape, testing::ElementsAre(10, 64));
}

TEST(FloatWeightsTest, ReadsThePublishedCifarResnets) {
  const std::string folder = std::string(BITPILOT_SOURCE_DIR) + "/../shared/data/cifar10_resnet/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
  for (const std::string name : {"resnet20", "resnet32", "resnet44", "resnet56"}) {
    const Result<FloatWeights> weights =
        LoadFloatWeights(Model(name), folder + name + ".safetensors");
    ASSERT_TRUE(weights.ok()) << weights.status().message();
    for (const FloatLayerWeights& layer : weights->layers) {
      const bool last = &layer == &weights->layers.back();
      EXPECT_EQ(layer.batch_norm.has_value(), !last) << layer.name;
      EXPECT_EQ(layer.bias.empty(), !last) << layer.name;
    }
  }
}

TEST(FloatWeightsTest, ReadsBackWhatItSaved) {
  const ModelDefinition resnet8 = Model("resnet8");
  const Result<FloatWeights> weights = LoadFloatWeights(resnet8, Resnet8File());
  ASSERT_TRUE(weights.ok());
  const std::string path = testing::TempDir() + "saved.safetensors";
  SafetensorsFile beside;
  beside.metadata["bits"] = "w4a4";
  ASSERT_TRUE(SaveFloatWeights(resnet8, *weights, beside, path).ok());
  const Result<FloatWeights> again = LoadFloatWeights(resnet8, path);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(*again, *weights);
  EXPECT_EQ(ReadSafetensors(path)->metadata.at("bits"), "w4a4");
  std::filesystem::remove(path);
}

TEST(FloatWeightsTest, NamesAMissingTensor) {
  const Status status =
      LoadChanged([](SafetensorsFile& file) { file.tensors.erase("conv2d_5.bias"); });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("expected tensor 'conv2d_5.bias' F32 [32], which"));
}

TEST(FloatWeightsTest, NamesATensorOfAnotherShape) {
  const Status status = LoadChanged([](SafetensorsFile& file) {
    file.tensors["conv2d_4.weight"].shape = {32, 3, 3, 32};
  });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(),
              HasSubstr("'conv2d_4.weight' F32 [32, 32, 3, 3], got shape [32, 3, 3, 32]"));
}

TEST(FloatWeightsTest, RefusesNumbersThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const Status status = LoadChanged([&](SafetensorsFile& file) {
      file.tensors["batch_normalization_3.weight"].values[7] = bad;
    });
    EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
    EXPECT_THAT(status.message(), HasSubstr("'batch_normalization_3.weight'"));
    EXPECT_THAT(status.message(), HasSubstr("at index 7"));
  }
}

TEST(FloatWeightsTest, RefusesNegativeVariance) {
  const Status status = LoadChanged([](SafetensorsFile& file) {
    file.tensors["batch_normalization.running_var"].values[15] = -1e-6F;
  });
  EXPECT_EQ(status.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(status.message(), HasSubstr("batch_normalization.running_var"));
}

}  // namespace
}  // namespace bitpilot
