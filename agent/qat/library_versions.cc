#include "agent/qat/library_versions.h"

#include <dlfcn.h>
#include <torch/torch.h>

#include <sstream>

namespace bitpilot {
namespace {

// What follows `label` on its line of at::show_config(), up to a space or comma; "unknown" without
// such a line.
std::string ConfigEntry(const std::string& config, const std::string& label) {
  const std::size_t found = config.find(label);
  if (found == std::string::npos) return "unknown";
  const std::size_t begin = found + label.size();
  return config.substr(begin, config.find_first_of(" ,\n", begin) - begin);
}

// The BLAS that the dynamic linker chose, if it is one that says its name.
std::string BlasVersion() {
  using GetConfig = const char* (*)();
  void* symbol = dlsym(RTLD_DEFAULT, "openblas_get_config");
  if (symbol == nullptr) return "unknown";
  std::istringstream words(reinterpret_cast<GetConfig>(symbol)());
  std::string name;
  std::string version;
  words >> name >> version;
  return name + " " + version;
}

}  // namespace

std::string TrainingLibraryVersions() {
  return "libtorch " + std::string(TORCH_VERSION) + " onednn " +
         ConfigEntry(at::show_config(), "MKL-DNN v") + " blas " + BlasVersion();
}

}  // namespace bitpilot
