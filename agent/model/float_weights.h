// FloatWeights: a model's float parameters in memory, as its weight file has them (batch norm not
// folded).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/model_definition.h"
#include "agent/model/safetensors.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Batch normalization after a layer, per output channel c:
//
//   y = (x - mean[c]) / sqrt(variance[c] + epsilon) * gamma[c] + beta[c]
struct BatchNormWeights {
  std::vector<float> gamma;     // [O]; may be negative
  std::vector<float> beta;      // [O]
  std::vector<float> mean;      // [O]
  std::vector<float> variance;  // [O], at least 0
  double epsilon = 1e-5;
  friend bool operator==(const BatchNormWeights&, const BatchNormWeights&) = default;
};

// One convolution or fully connected layer; `batch_norm` comes after `bias`.
struct FloatLayerWeights {
  std::string name;  // of the topology's operation
  std::vector<std::int64_t>
      shape;                  // [O, I / groups, KH, KW], or [O, I] with I = C * H * W of the input
  std::vector<float> weight;  // row-major
  std::vector<float> bias;    // [O], or empty
  std::optional<BatchNormWeights> batch_norm;
  friend bool operator==(const FloatLayerWeights&, const FloatLayerWeights&) = default;
};

struct FloatWeights {
  std::vector<FloatLayerWeights> layers;  // parallel to LayerOperations(topology)
  friend bool operator==(const FloatWeights&, const FloatWeights&) = default;
};

// Shape that layer `layer` of `definition` has in a weight file, as in FloatLayerWeights.
std::vector<std::int64_t> WeightShape(const ModelDefinition& definition, std::size_t layer);

// Reads every parameter that `definition` names; other tensors of the file are ignored.
//
// Errors:
//   kInvalidArgument  a tensor is missing or has another dtype or shape: the message names file and
//   tensor. kDataCorrupt      no safetensors file; a number that is not finite; a variance below 0.
//   kNotFound, kPermissionDenied  the file cannot be opened.
Result<FloatWeights> LoadFloatWeights(const ModelDefinition& definition, const std::string& path);

// Writes `weights` under the names that LoadFloatWeights() reads, and the tensors and metadata of
// `beside`.
//
// Errors: as WriteSafetensors().
//
// REQUIRES: `weights` has every parameter that `definition` names, in its shape.
Status SaveFloatWeights(const ModelDefinition& definition, const FloatWeights& weights,
                        SafetensorsFile beside, const std::string& path);

}  // namespace bitpilot
