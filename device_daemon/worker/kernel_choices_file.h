// The kernels that won on this board, on its disk: a plan stays the same over restarts.
#pragma once

#include <string>

#include "kernels/base/status.h"
#include "kernels/runtime/kernel_choices.h"

namespace bitpilot {

// The choices kept in the store folder, for a daemon that measures on this kind of core
// (CpuCore::Identity()); none on a new board, and none where the file was made by another build or
// is damaged: timing again costs less than asking anybody.
KernelChoices ReadKernelChoices(const std::string& store_folder, const std::string& core);

// The folder that the choices are written to, all that the worker may change (sandbox.h).
//
// Errors: as MakeFolderDurably().
Status MakeWorkerFolder(const std::string& store_folder);

// REQUIRES: MakeWorkerFolder() was called for the store.
//
// Errors: as WriteFileAtomically().
Status WriteKernelChoices(const std::string& store_folder, const KernelChoices& choices);

}  // namespace bitpilot
