#include "agent/model/model_definition.h"

#include <algorithm>
#include <array>
#include <utility>

#include "kernels/base/joined.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

constexpr double kKerasBatchNormEpsilon = 1e-3;
constexpr double kTorchBatchNormEpsilon = 1e-5;

constexpr std::array<const char*, 5> kModelNames = {"resnet8", "resnet20", "resnet32", "resnet44",
                                                    "resnet56"};

// MLPerf Tiny's ResNet-8, named by Keras. Every convolution has a bias; the 1x1 shortcuts (conv2d_5
// and conv2d_8) have no batch norm.
LayerParameters KerasParameters(const std::string& layer) {
  static constexpr std::pair<const char*, const char*> kBatchNorms[] = {
      {"conv2d", "batch_normalization"},     {"conv2d_1", "batch_normalization_1"},
      {"conv2d_2", "batch_normalization_2"}, {"conv2d_3", "batch_normalization_3"},
      {"conv2d_4", "batch_normalization_4"}, {"conv2d_6", "batch_normalization_5"},
      {"conv2d_7", "batch_normalization_6"}};
  LayerParameters parameters{layer + ".weight", layer + ".bias", "", kKerasBatchNormEpsilon};
  for (const auto& [convolution, batch_norm] : kBatchNorms) {
    if (layer == convolution) parameters.batch_norm = batch_norm;
  }
  return parameters;
}

// ResNets for CIFAR-10, named by PyTorch: convolution "layer1.0.conv2" belongs to "layer1.0.bn2"
// and has no bias, the last layer is "linear".
LayerParameters TorchParameters(const std::string& layer) {
  const std::size_t at = layer.rfind("conv");
  if (at == std::string::npos) {
    return {layer + ".weight", layer + ".bias", "", kTorchBatchNormEpsilon};
  }
  std::string batch_norm = layer;
  batch_norm.replace(at, 4, "bn");
  return {layer + ".weight", "", batch_norm, kTorchBatchNormEpsilon};
}

// x = (pixel / 255 - mean) / std with ImageNet's statistics, which these ResNets were trained with.
void SetTorchNormalization(ModelDefinition& definition) {
  static constexpr std::array<double, 3> kMean = {0.485, 0.456, 0.406};
  static constexpr std::array<double, 3> kStandardDeviation = {0.229, 0.224, 0.225};
  for (std::size_t c = 0; c < kMean.size(); ++c) {
    definition.pixel_scale.push_back(static_cast<float>(1.0 / (255.0 * kStandardDeviation[c])));
    definition.pixel_offset.push_back(static_cast<float>(-kMean[c] / kStandardDeviation[c]));
  }
}

}  // namespace

std::vector<std::string> ModelNames() { return {kModelNames.begin(), kModelNames.end()}; }

Result<ModelDefinition> FindModel(std::string_view name) {
  if (std::find(kModelNames.begin(), kModelNames.end(), name) == kModelNames.end()) {
    return InvalidArgument("unknown model '" + std::string(name) +
                           "'; known: " + Joined(kModelNames));
  }
  Result<Topology> topology = StandardTopology(name);
  BITPILOT_CHECK(topology.ok());  // The standard networks include every model named above.

  ModelDefinition definition;
  definition.name = name;
  definition.topology = std::move(topology).value();
  const bool is_keras = name == "resnet8";
  for (const int operation : LayerOperations(definition.topology)) {
    const std::string& layer =
        definition.topology.operations[static_cast<std::size_t>(operation)].name;
    definition.layers.push_back(is_keras ? KerasParameters(layer) : TorchParameters(layer));
  }
  if (is_keras) {
    definition.pixel_scale = {1.0F, 1.0F, 1.0F};  // trained on raw pixels
    definition.pixel_offset = {0.0F, 0.0F, 0.0F};
  } else {
    SetTorchNormalization(definition);
  }
  definition.crop_border = is_keras ? CropBorder::kEdge : CropBorder::kBlack;
  definition.estimates_on_crops = !is_keras;
  return definition;
}

}  // namespace bitpilot
