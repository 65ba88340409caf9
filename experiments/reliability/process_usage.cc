#include "experiments/reliability/process_usage.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

std::string FolderOf(pid_t pid) { return "/proc/" + std::to_string(pid); }

// 'R', 'S', 'Z', ...; a name may hold anything but the last ')' is its end.
char StateOf(pid_t pid) {
  std::ifstream file(FolderOf(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t name_end = text.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= text.size() ? ' ' : text[name_end + 2];
}

}  // namespace

std::size_t ResidentBytes(pid_t pid) {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream(FolderOf(pid) + "/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t NumDescriptors(pid_t pid) {
  std::error_code error;
  const fs::directory_iterator open(FolderOf(pid) + "/fd", error);
  return error ? 0 : static_cast<std::size_t>(std::distance(open, fs::directory_iterator()));
}

std::size_t NumZombies(pid_t pid) {
  std::size_t zombies = 0;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator(FolderOf(pid) + "/task", error)) {
    std::ifstream children(thread.path() / "children");
    for (pid_t child = 0; children >> child;) zombies += StateOf(child) == 'Z';
  }
  return zombies;
}

}  // namespace bitpilot
