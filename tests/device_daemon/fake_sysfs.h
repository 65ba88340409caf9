// A folder that stands for "/" of a board: tests write the files that its kernel would show.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace bitpilot {

class FakeSysfs {
 public:
  FakeSysfs() {
    std::string path = (std::filesystem::temp_directory_path() / "bitpilot-sysfs-XXXXXX").string();
    root_ = mkdtemp(path.data());
    // Readable for the user whom a test of permissions turns into.
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
  }
  ~FakeSysfs() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  FakeSysfs(const FakeSysfs&) = delete;
  FakeSysfs& operator=(const FakeSysfs&) = delete;

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path sys() const { return root_ / "sys"; }

  // Writes `text` and a line's end to `path` below the root.
  void Write(std::string_view path, std::string_view text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << "\n";
  }

 private:
  std::filesystem::path root_;
};

}  // namespace bitpilot
