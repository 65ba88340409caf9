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
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
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

// Weights of `name` that are all 0.5, in a file of their own.
std::string WriteWeightsOf(const std::string& name) {
  const ModelDefinition model = Model(name);
  FloatWeights weights;
  for (std::size_t index = 0; index < model.layers.size(); ++index) {
    FloatLayerWeights layer;
    layer.shape = WeightShape(model, index);
    std::size_t size = 1;
    for (const std::int64_t extent : layer.shape) size *= static_cast<std::size_t>(extent);
    const std::vector<float> channels(static_cast<std::size_t>(layer.shape[0]), 0.5F);
    layer.weight.assign(size, 0.5F);
    if (!model.layers[index].bias.empty()) layer.bias = channels;
    if (!model.layers[index].batch_norm.empty()) {
      layer.batch_norm = BatchNormWeights{channels, channels, channels, channels};
    }
    weights.layers.push_back(std::move(layer));
  }
  const std::string path = testing::TempDir() + name + "-all-half.safetensors";
  EXPECT_TRUE(SaveFloatWeights(model, weights, {}, path).ok());
  return path;
}

// ResNet-20's tensors are among ResNet-56's, and under the same names.
TEST(FloatWeightsTest, RefusesWeightsOfAnotherDepthAndNamesTheRightModel) {
  const std::string path = WriteWeightsOf("resnet56");
  const Status status = LoadFloatWeights(Model("resnet20"), path).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("tensor 'layer1.3.bn1.bias' [16] is none"));
  EXPECT_THAT(status.message(), HasSubstr("give --model resnet56"));
  const Status deeper = LoadFloatWeights(Model("resnet8"), path).status();
  EXPECT_THAT(deeper.message(), HasSubstr("give --model resnet56"));
  EXPECT_TRUE(LoadFloatWeights(Model("resnet56"), path).ok());
  std::filesystem::remove(path);
}

TEST(FloatWeightsTest, RefusesTheFirstTensorThatTheNetworkDoesNotUse) {
  const Status status = LoadChanged([](SafetensorsFile& file) {
    file.tensors["z.weight"] = {{1}, {0.0F}};
    file.tensors["conv2d.mask"] = {{2}, {0.0F, 1.0F}};
  });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("tensor 'conv2d.mask' [2] is none"));
}

TEST(FloatWeightsTest, ReadsPastBatchCountersAndOwnTensors) {
  EXPECT_TRUE(LoadChanged([](SafetensorsFile& file) {
                file.tensors["batch_normalization.num_batches_tracked"] = {{}, {7.0F}};
                file.tensors["bitpilot.tensor.1.state"] = {{1}, {0.0F}};
              }).ok());
}

TEST(FloatWeightsTest, LeavesOutThePrefixOfAWrapperAndSaysSo) {
  Result<SafetensorsFile> file = ReadSafetensors(Resnet8File());
  ASSERT_TRUE(file.ok());
  SafetensorsFile wrapped;
  for (const auto& [name, tensor] : file->tensors) wrapped.tensors["module." + name] = tensor;
  wrapped.tensors["bitpilot.tensor.1.state"] = {{1}, {0.0F}};
  const std::string path = testing::TempDir() + "wrapped.safetensors";
  ASSERT_TRUE(WriteSafetensors(path, wrapped).ok());
  std::vector<std::string> notices;
  const auto notice = [&](const std::string& text) { notices.push_back(text); };
  const Result<FloatWeights> weights = LoadFloatWeights(Model("resnet8"), path, notice);
  ASSERT_TRUE(weights.ok()) << weights.status().message();
  EXPECT_EQ(*weights, *LoadFloatWeights(Model("resnet8"), Resnet8File()));
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_THAT(notices.front(), HasSubstr("begins with \"module.\""));
  // A prefix of some names only is a name.
  wrapped.tensors["conv2d.bias"] = wrapped.tensors["module.conv2d.bias"];
  ASSERT_TRUE(WriteSafetensors(path, wrapped).ok());
  EXPECT_FALSE(LoadFloatWeights(Model("resnet8"), path).ok());
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
