#include "device_daemon/worker/kernel_choices_file.h"

#include <utility>

#include "device_daemon/measurement/system_info.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

std::string PathIn(const std::string& store_folder) {
  return store_folder + "/" + kKernelChoicesFile;
}

}  // namespace

KernelChoices ReadKernelChoices(const std::string& store_folder) {
  const Result<std::string> text = ReadFile(PathIn(store_folder));
  if (!text.ok()) return {};
  Result<KernelChoices> choices = KernelChoices::Parse(*text, CpuModel());
  return choices.ok() ? std::move(*choices) : KernelChoices();
}

Status WriteKernelChoices(const std::string& store_folder, const KernelChoices& choices) {
  return WriteFileAtomically(PathIn(store_folder), choices.ToText(CpuModel()));
}

}  // namespace bitpilot
