#include "kernels/runtime/kernel_choices.h"

#include <sstream>

#include "kernels/base/check.h"
#include "kernels/runtime/kernel_build_id.h"

namespace bitpilot {
namespace {

constexpr std::string_view kTitle = "bitpilot kernel choices 1";

}  // namespace

std::string_view KernelChoices::Find(std::string_view layer) const {
  const auto found = kernel_of_layer_.find(layer);
  return found == kernel_of_layer_.end() ? std::string_view() : found->second;
}

void KernelChoices::Remember(std::string_view layer, std::string_view kernel) {
  BITPILOT_CHECK(!layer.empty() && !kernel.empty());
  BITPILOT_CHECK(layer.find_first_of("\t\n") == std::string_view::npos &&
                 kernel.find('\n') == std::string_view::npos);
  kernel_of_layer_.insert_or_assign(std::string(layer), std::string(kernel));
}

std::string KernelChoices::ToText(std::string_view cpu_model) const {
  std::ostringstream text;
  text << kTitle << "\ncpu\t" << cpu_model << "\nkernels\t" << KernelBuildId() << '\n';
  for (const auto& [layer, kernel] : kernel_of_layer_) text << layer << '\t' << kernel << '\n';
  return text.str();
}

Result<KernelChoices> KernelChoices::Parse(std::string_view text, std::string_view cpu_model) {
  std::istringstream lines{std::string(text)};
  std::string title;
  std::string cpu;
  std::string build;
  if (!std::getline(lines, title) || title != kTitle || !std::getline(lines, cpu) ||
      !std::getline(lines, build)) {
    return Status(StatusCode::kDataCorrupt, "expected the title \"" + std::string(kTitle) +
                                                "\", the CPU and the kernels' build, got \"" +
                                                title + "\"");
  }
  if (cpu != "cpu\t" + std::string(cpu_model) || build != "kernels\t" + KernelBuildId()) {
    return Status(StatusCode::kVersionMismatch,
                  "made on another CPU or by another build of the kernels");
  }
  KernelChoices choices;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t tab = line.find('\t');
    if (tab == 0 || tab == std::string::npos || tab + 1 == line.size()) {
      return Status(StatusCode::kDataCorrupt,
                    "expected a layer, a tab and a kernel, got \"" + line + "\"");
    }
    choices.Remember(line.substr(0, tab), line.substr(tab + 1));
  }
  return choices;
}

}  // namespace bitpilot
