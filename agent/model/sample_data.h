// Where the shipped data is: ResNet-8 weights and a balanced sample of CIFAR-10
// (experiments/data/README.md).
#pragma once

#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// The first of these folders that holds the sample:
//   $BITPILOT_DATA_DIR, if set (then no other is tried);
//   ../share/bitpilot/data beside the running program's folder, where `cmake --install` puts it;
//   experiments/data of the source tree that the program was built from.
//
// Errors:
//   kNotFound  lists the folders that were tried.
Result<std::string> SampleDataFolder();

// What `--weights` calls the weights that ship: no path, so that a study can move to another
// machine.
inline constexpr char kShippedWeights[] = "shipped";

// Weights for `model` when the user names none.
//
// Errors:
//   kInvalidArgument  only resnet8's weights are shipped; says how to give others.
//   kNotFound         as SampleDataFolder().
Result<std::string> ShippedWeightsFile(std::string_view model);

}  // namespace bitpilot
