#include "kernels/base/model_board_file.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "kernels/base/joined.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr char kEnding[] = ".cost";

// Empty if there is none.
fs::path BoardsFolder() {
  const char* chosen = std::getenv("BITPILOT_BOARDS_DIR");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& folder : {program.parent_path().parent_path() / "share/bitpilot/boards",
                                 fs::path(BITPILOT_BOARDS_DIR)}) {
    if (fs::is_directory(folder, error)) return folder;
  }
  return {};
}

std::string NamesIn(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == kEnding) names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names.empty() ? "none" : Joined(names);
}

}  // namespace

Result<std::string> FindModelBoardFile(const std::string& text) {
  std::error_code error;
  if (fs::exists(text, error)) return text;
  const fs::path name = text;
  if (name.has_parent_path() || name.has_extension()) {
    return Status(StatusCode::kNotFound, "there is no file " + text);
  }
  const fs::path folder = BoardsFolder();
  const fs::path file = folder / (text + kEnding);
  if (fs::is_regular_file(file, error)) return file.string();
  return InvalidArgument("there is no file " + text +
                         " and no shipped board of that name, only: " + NamesIn(folder));
}

}  // namespace bitpilot
