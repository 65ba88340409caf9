#include "device_daemon/worker/kernel_choices_file.h"

#include <utility>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

std::string PathIn(const std::string& store_folder) {
  return store_folder + "/" + kKernelChoicesFile;
}

}  // namespace

KernelChoices ReadKernelChoices(const std::string& store_folder, const std::string& core) {
  const Result<std::string> text = ReadFile(PathIn(store_folder));
  if (!text.ok()) return KernelChoices(core);
  Result<KernelChoices> choices = KernelChoices::Parse(*text, core);
  return choices.ok() ? std::move(*choices) : KernelChoices(core);
}

Status WriteKernelChoices(const std::string& store_folder, const KernelChoices& choices) {
  return WriteFileAtomically(PathIn(store_folder), choices.ToText());
}

}  // namespace bitpilot
