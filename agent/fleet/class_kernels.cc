#include "agent/fleet/class_kernels.h"

#include <cstddef>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "agent/fleet/board_conditions.h"
#include "kernels/base/file_io.h"
#include "kernels/base/home_folder.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

// Empty without a cache folder.
std::string ClassKernelsPath(const BoardInfo& board) {
  const std::string folder = CacheFolder();
  return folder.empty() ? "" : folder + "/class_kernels/" + ClassFingerprintOf(board);
}

// "core TAB layer", which a line begins with; empty of what is no such line.
std::string KeyOf(const std::string& line) {
  const std::size_t core_end = line.find('\t');
  if (core_end == std::string::npos) return {};
  const std::size_t layer_end = line.find('\t', core_end + 1);
  return layer_end == std::string::npos ? "" : line.substr(0, layer_end);
}

}  // namespace

bool ClassKernels::Take(const std::string& choices) {
  std::istringstream lines(choices);
  std::string title;
  std::string build;
  if (!std::getline(lines, title) || !std::getline(lines, build)) return false;
  std::string heading = title + "\n" + build + "\n";
  if (!heading_.empty() && heading != heading_) return false;
  std::size_t size_bytes = text_.empty() ? heading.size() : text_.size();
  bool has_new = false;
  for (std::string line; std::getline(lines, line);) {
    std::string key = KeyOf(line);
    if (key.empty() || lines_.contains(key)) continue;
    size_bytes += line.size() + 1;
    if (size_bytes > kMaxKernelChoicesBytes) break;
    lines_.emplace(std::move(key), line);
    has_new = true;
  }
  if (!has_new) return false;
  heading_ = text_ = std::move(heading);
  for (const auto& [key, line] : lines_) text_ += line + "\n";
  return true;
}

std::string ReadClassKernels(const BoardInfo& board) {
  const std::string path = ClassKernelsPath(board);
  if (path.empty()) return {};
  const Result<std::string> text = ReadFile(path);
  return text.ok() ? *text : std::string();
}

void KeepClassKernels(const BoardInfo& board, const std::string& text) {
  const std::string path = ClassKernelsPath(board);
  if (path.empty() || text.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (!error) static_cast<void>(WriteFileAtomically(path, text));
}

}  // namespace bitpilot
