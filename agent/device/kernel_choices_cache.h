// Which kernels won on this machine, kept from one local daemon to the next: equal widths run equal
// kernels in every session.
#pragma once

#include <string>

namespace bitpilot {

// $XDG_CACHE_HOME/bitpilot/kernel_choices, or below ~/.cache; empty without either. A daemon uses
// what was timed on its kind of core, by its build (kernels/runtime/kernel_choices.h).
std::string KernelChoicesCachePath();

// Copies the cache to a daemon's store folder, before the daemon starts, and back, after it ended.
// It is a cache: what fails is timed again, which costs milliseconds a layer.
void RestoreKernelChoices(const std::string& store_folder);
void KeepKernelChoices(const std::string& store_folder);

}  // namespace bitpilot
