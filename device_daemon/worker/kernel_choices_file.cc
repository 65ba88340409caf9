#include "device_daemon/worker/kernel_choices_file.h"

#include <utility>

#include "kernels/base/atomic_file.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

std::string PathIn(const std::string& store_folder) {
  return store_folder + "/" + kWorkerFolder + "/" + kKernelChoicesFile;
}

}  // namespace

KernelChoices ReadKernelChoices(const std::string& store_folder, const std::string& core) {
  Result<std::string> text = ReadFile(PathIn(store_folder));
  // Where earlier releases kept it.
  if (!text.ok()) text = ReadFile(store_folder + "/" + kKernelChoicesFile);
  if (!text.ok()) return KernelChoices(core);
  Result<KernelChoices> choices = KernelChoices::Parse(*text, core);
  return choices.ok() ? std::move(*choices) : KernelChoices(core);
}

Status MakeWorkerFolder(const std::string& store_folder) {
  return MakeFolderDurably(store_folder + "/" + kWorkerFolder, 0700);
}

Status WriteKernelChoices(const std::string& store_folder, const KernelChoices& choices) {
  return WriteFileAtomically(PathIn(store_folder), choices.ToText());
}

}  // namespace bitpilot
