// ModelDefinition: a known float network: its topology, how its weight file names things, and how
// pixels become its inputs.
#pragma once

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

struct ModelDefinition {
  std::string name;  // "resnet8"
  Topology topology;
  std::vector<LayerParameters> layers;  // parallel to LayerOperations(topology)
  // Input of the float network: x = pixel * pixel_scale[c] + pixel_offset[c].
  std::vector<float> pixel_scale;
  std::vector<float> pixel_offset;
  // The published weights were trained on images cropped out of a black border and mirrored, as training
  // here does (agent/qat/training_stream.h): their batch norm is of such images. ResNet-20 at 8 bits reads
  // .912 with statistics of cropped images and .887 with those of whole ones; ResNet-8, which was shifted
  // and rotated without a black border, .858 and .882 (3,000 validation images).
  bool was_trained_on_crops = false;
};

// Models with importable weights: resnet8 (MLPerf Tiny), resnet20, resnet32, resnet44, resnet56.
std::vector<std::string> ModelNames();

// Errors: kInvalidArgument lists the known names.
Result<ModelDefinition> FindModel(std::string_view name);

}  // namespace bitpilot
