// The ResNet-8 and the images that the repository ships, as the tests of training use them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

#include "agent/model/image_dataset.h"
#include "agent/model/sample_data.h"
#include "agent/qat/quantized_model.h"

namespace bitpilot {

inline const DataSplits& Sample() {
  static const DataSplits* splits = [] {
    Result<DataSplits> loaded = LoadDataSplits("sample");
    if (!loaded.ok()) ADD_FAILURE() << loaded.status().message();
    return new DataSplits(std::move(loaded).value());
  }();
  return *splits;
}

// Where nothing is asked of the accuracy: who trains calibrates on all images first.
inline const ImageDataset& FewImages() {
  static const ImageDataset* few = new ImageDataset(Sample().train.Slice(0, 128));
  return *few;
}

inline ModelDefinition Resnet8() { return FindModel("resnet8").value(); }

inline QuantizedModel MakeModel(std::uint64_t seed = 1) {
  Result<QuantizedModel> model =
      QuantizedModel::Create(Resnet8(), ShippedWeightsFile("resnet8").value(), seed);
  EXPECT_TRUE(model.ok()) << model.status().message();
  return std::move(model).value();
}

inline BitAssignment Uniform(int weight_bits, int activation_bits) {
  return UniformAssignment(Resnet8().topology, weight_bits, activation_bits);
}

inline TrainOptions SmallBatches() {
  TrainOptions options;
  options.batch_size = 32;
  return options;
}

}  // namespace bitpilot
