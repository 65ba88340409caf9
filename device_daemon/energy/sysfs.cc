#include "device_daemon/energy/sysfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include "kernels/base/quoted.h"

namespace bitpilot {
namespace {

Status FileError(const std::filesystem::path& path, int error) {
  const std::string name = path.string();
  if (error == ENOENT || error == ENOTDIR) {
    return Status(StatusCode::kNotFound, name + " does not exist");
  }
  if (error == EACCES || error == EPERM) {
    return Status(StatusCode::kPermissionDenied,
                  name + " may not be read by this user; permit it with: sudo chmod a+r " + name);
  }
  return Status(StatusCode::kUnavailable, name + " cannot be read: " + std::strerror(error));
}

}  // namespace

Result<std::string> ReadSysfsLine(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError(path, errno);
  std::array<char, 4096> buffer;  // A sysfs file is at most one page.
  const ssize_t size = read(descriptor, buffer.data(), buffer.size());
  const int error = errno;
  close(descriptor);
  if (size < 0) return FileError(path, error);
  std::string line(buffer.data(), static_cast<std::size_t>(size));
  line.resize(std::min(line.find('\n'), line.size()));
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\0')) {
    line.pop_back();
  }
  return line;
}

Result<std::int64_t> ReadSysfsNumber(const std::filesystem::path& path) {
  const Result<std::string> line = ReadSysfsLine(path);
  if (!line.ok()) return line.status();
  std::int64_t number = 0;
  const char* end = line->data() + line->size();
  const auto [stop, error] = std::from_chars(line->data(), end, number);
  if (error != std::errc() || stop != end) {
    return DataCorrupt(path.string() + " holds one decimal number, got " + Quoted(*line));
  }
  return number;
}

std::vector<std::filesystem::path> SysfsEntries(const std::filesystem::path& folder,
                                                std::string_view prefix) {
  std::vector<std::filesystem::path> entries;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(prefix)) entries.push_back(entry.path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace bitpilot
