// Topologies of the networks that bitpilot knows by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Names that StandardTopology() takes, in the order that help texts print.
std::vector<std::string> StandardNetworkNames();

// resnet8: MLPerf Tiny image classification (TensorFlow "same" padding, 1x1 shortcuts; layer names
// as in its published weights). resnet20/32/44/56: CIFAR-10 ResNets with option-A shortcuts (He et
// al., CVPR 2016, section 4.2). resnet20-proj: ResNet-20 with 1x1 convolution shortcuts, as
// benchmarks against other libraries run it. mobilenet-v1-025 (96x96x3, MLPerf Tiny visual wake
// words), mobilenet-v2 and resnet18 (224x224x3).
//
// Errors:
//   kInvalidArgument  an unknown name; the message lists the known ones.
Result<Topology> StandardTopology(std::string_view name);

}  // namespace bitpilot
