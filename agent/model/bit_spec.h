// Bit assignments as users write them: "w4a4", or a JSON file.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Turns `spec` into a valid assignment for `topology`.
//
// "wXaY" is uniform with 8-bit ends (UniformAssignment). Anything else is the path of a JSON file:
//
//   {"weight_bits": [8, 4, [[16, 4], [16, 2]], ..., 8],
//    "activation_bits": [8, 4, ...],
//    "activation_names": ["input", "conv1", ...]}
//
//   weight_bits       each convolution and fully connected layer, ends included; [channels, bits]
//                     runs in the float network's channel order
//   activation_bits   each stored tensor: the input, then every stored output
//   activation_names  their names, so that no width lands on the wrong tensor
//
// Errors:
//   kInvalidArgument  neither the form nor a file; a width outside 1..8 in it.
//   kNotFound         a path (with a '.' or a '/') at which there is no file.
//   kPermissionDenied a file that may not be read.
//   kDataCorrupt      a folder, or a file with a width outside 1..8, a wrong length or name: names
//                     the layer or tensor.
//
// flag: that gave it, for messages.
Result<BitAssignment> ParseBitSpec(const std::string& spec, const Topology& topology,
                                   const std::string& flag = "--bits");

// The JSON object above for `assignment`.
nlohmann::json AssignmentToJson(const Topology& topology, const BitAssignment& assignment);

// Errors: kInvalidArgument. `where` begins every message, e.g. the file's name.
Result<BitAssignment> AssignmentFromJson(const Topology& topology, const nlohmann::json& json,
                                         std::string_view where);

// The inverse of CanonicalText() (kernels/base/bit_assignment.h), which carries no names.
Result<BitAssignment> ParseCanonicalAssignment(const Topology& topology, std::string_view text);

}  // namespace bitpilot
