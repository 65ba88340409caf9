// The kernels that won on this board, on its disk: a plan stays the same over restarts.
#pragma once

#include <string>

#include "kernels/base/status.h"
#include "kernels/runtime/kernel_choices.h"

namespace bitpilot {

// The choices kept in the store folder; none on a new board, and none where the file was made on
// another CPU, by another build or is damaged: timing again costs less than asking anybody.
KernelChoices ReadKernelChoices(const std::string& store_folder);

// Errors: as WriteFileAtomically().
Status WriteKernelChoices(const std::string& store_folder, const KernelChoices& choices);

}  // namespace bitpilot
