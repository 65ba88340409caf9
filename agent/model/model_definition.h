// ModelDefinition: a known float network: its topology, how its weight file names things, and how
// pixels become its inputs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Where one layer's parameters are in a weight file (PyTorch layouts: conv OIHW, linear (out, in)).
struct LayerParameters {
  std::string weight;      // tensor name
  std::string bias;        // empty: none
  std::string batch_norm;  // prefix of {weight,bias,running_mean,running_var}; empty: none
  double batch_norm_epsilon = 1e-5;
};

// What surrounds an image that training crops out of a larger one.
enum class CropBorder : std::uint8_t {
  kBlack,
  kEdge,  // the image's own outermost pixels, repeated
};

struct ModelDefinition {
  std::string name;  // "resnet8"
  Topology topology;
  std::vector<LayerParameters> layers;  // parallel to LayerOperations(topology)
  // Input of the float network: x = pixel * pixel_scale[c] + pixel_offset[c].
  std::vector<float> pixel_scale;
  std::vector<float> pixel_offset;
  // As the published weights were trained. ResNet-8 at 8 bits, with batch norm of such crops, reads .881
  // with edges and .858 in black (3,000 validation images); ResNet-20 .883 and .911.
  CropBorder crop_border = CropBorder::kBlack;
  // Batch norm is estimated on crops, too (agent/qat), rather than on whole images: with these ResNet-8
  // reads .882, ResNet-20 .888.
  bool estimates_on_crops = false;
};

// Models with importable weights: resnet8 (MLPerf Tiny), resnet20, resnet32, resnet44, resnet56.
std::vector<std::string> ModelNames();

// Errors: kInvalidArgument lists the known names.
Result<ModelDefinition> FindModel(std::string_view name);

}  // namespace bitpilot
