// The identity of the kernels in this program.
#pragma once

#include <string>

namespace bitpilot {

// Hex SHA-256 over the kernel sources, the compiler and its flags. Results of different builds are
// never mixed in one study without saying so.
std::string KernelBuildId();

}  // namespace bitpilot
