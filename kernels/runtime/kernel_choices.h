// KernelChoices: which kernel was fastest for which layer on this CPU.
//
// The same widths have different winners on different CPUs of one instruction set (on AVX-512 VNNI,
// binary decomposition of 2 x 2 bits beats 8 bit on Zen 5 and loses on Granite Rapids), so a plan
// is timed where it runs. Remembered choices keep plans equal: every candidate of a search, and
// every run after a restart, uses the same kernel for the same layer.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// Name of their file in a board's store.
inline constexpr char kKernelChoicesFile[] = "kernel_choices";

// Not thread-safe.
class KernelChoices {
 public:
  // The kernel remembered for a layer (kernels/runtime/conv_tuner.h, ConvLayerKey()); empty if
  // none.
  std::string_view Find(std::string_view layer) const;
  // REQUIRES: neither text is empty; `layer` has no tab and neither has a line break.
  void Remember(std::string_view layer, std::string_view kernel);
  std::size_t size() const { return kernel_of_layer_.size(); }

  // Text for a file: what the choices hold for, then a line a layer.
  std::string ToText(std::string_view cpu_model) const;

  // Errors:
  //   kVersionMismatch  made on another CPU or by another build of the kernels.
  //   kDataCorrupt      no such text.
  static Result<KernelChoices> Parse(std::string_view text, std::string_view cpu_model);

 private:
  std::map<std::string, std::string, std::less<>> kernel_of_layer_;
};

}  // namespace bitpilot
