// FloatWeights: a model's float parameters in memory, as its weight file has them (batch norm not
// folded).
#pragma once

#include <cstdint>
#include <functional>
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

// Gets what a user should know about a file that was read all the same.
using WeightNotice = std::function<void(const std::string&)>;

// Reads every parameter that `definition` names. A prefix that a wrapper put before every name
// ("module." of PyTorch's DataParallel) is left out with a notice. A file that has any other tensor
// holds another network; batch norm's num_batches_tracked and bitpilot's own tensors
// (agent/qat/weight_file.h) are no others.
//
// Errors:
//   kInvalidArgument  a tensor is missing, has another dtype or shape, or is not the network's: the
//                     message names file and tensor, and the network that the file does fit.
//   kDataCorrupt      no safetensors file; a number that is not finite; a variance below 0.
//   kNotFound, kPermissionDenied  the file cannot be opened.
Result<FloatWeights> LoadFloatWeights(const ModelDefinition& definition, const std::string& path,
                                      const WeightNotice& notice = {});

// Writes `weights` under the names that LoadFloatWeights() reads, and the tensors and metadata of
// `beside`.
//
// Errors: as WriteSafetensors().
//
// REQUIRES: `weights` has every parameter that `definition` names, in its shape.
Status SaveFloatWeights(const ModelDefinition& definition, const FloatWeights& weights,
                        SafetensorsFile beside, const std::string& path);

}  // namespace bitpilot
