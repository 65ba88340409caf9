#include "kernels/runtime/kernel_build_id.h"

#include "kernels/generated_build_id.h"

namespace bitpilot {

std::string KernelBuildId() { return kKernelBuildId; }

}  // namespace bitpilot
