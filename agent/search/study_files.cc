#include "agent/search/study_files.h"

#include <filesystem>

#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"

namespace bitpilot {

namespace fs = std::filesystem;

StudyFiles::StudyFiles(const std::string& study_path) : study_path_(study_path) {
  fs::path folder(study_path);
  folder.replace_extension(".files");
  folder_ = folder.string();
  folder_name_ = folder.filename().string();
}

std::string StudyFiles::RelativeName(std::string_view name) const {
  return folder_name_ + "/" + std::string(name);
}

std::string StudyFiles::AbsolutePath(std::string_view name) const {
  return folder_ + "/" + std::string(name);
}

Result<StoredFile> StudyFiles::Put(std::string_view name, std::string_view bytes) const {
  const std::string path = AbsolutePath(name);
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error)
    return Status(StatusCode::kPermissionDenied,
                  "cannot create the folder of " + path + ": " + error.message());
  BITPILOT_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  return StoredFile{Sha256Hex(bytes), RelativeName(name)};
}

Result<std::string> StudyFiles::Get(std::string_view name, std::string_view sha256) const {
  const std::string path = AbsolutePath(name);
  Result<std::string> content = ReadFile(path);
  if (!content.ok()) {
    return Status(content.status().code(),
                  study_path_ + " needs a file that cannot be read: " + content.status().message() +
                      "; copy the whole folder " + folder_ + " along with the study");
  }
  if (!sha256.empty() && Sha256Hex(*content) != sha256) {
    return DataCorrupt(path + " does not hold what " + study_path_ +
                       " recorded: expected SHA-256 " + std::string(sha256) + ", got " +
                       Sha256Hex(*content));
  }
  return content;
}

void StudyFiles::Remove(std::string_view name) const {
  std::error_code ignored;
  fs::remove(AbsolutePath(name), ignored);
}

}  // namespace bitpilot
