#include "kernels/base/text_file.h"

#include "kernels/base/file_io.h"
#include "kernels/base/utf8.h"

namespace bitpilot {

Result<std::string> ReadTextFile(const std::string& path) {
  const Result<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return bytes.status().AsCorruptInput();
  return std::string(WithoutByteOrderMark(*bytes));
}

}  // namespace bitpilot
