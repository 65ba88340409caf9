// StudyFiles: the files that belong to a study, in a folder beside it.
//
//   runs/demo.db           the study
//   runs/demo.files/       networks/step-12.bpnet, checkpoints/step-12.ckpt,
//   weights/step-12.safetensors
#pragma once

#include <string>
#include <string_view>

#include "kernels/base/status.h"

namespace bitpilot {

// The network that all candidates are compared with, calibrated from the float weights.
inline constexpr char kUniform8File[] = "networks/uniform-8.bpnet";

struct StoredFile {
  std::string sha256;  // of the content
  std::string file;    // relative to the study's folder
};

class StudyFiles {
 public:
  explicit StudyFiles(const std::string& study_path);

  // Name relative to the study's folder of what `name` ("networks/step-12.bpnet") is called on
  // disk.
  std::string RelativeName(std::string_view name) const;
  std::string AbsolutePath(std::string_view name) const;

  // Writes through a temporary file and a rename, synced to disk: after a crash the file is whole
  // or absent.
  Result<StoredFile> Put(std::string_view name, std::string_view bytes) const;

  // Errors: kNotFound says which file of which study is missing; kDataCorrupt if `sha256` is given
  // and does not match.
  Result<std::string> Get(std::string_view name, std::string_view sha256 = {}) const;

  // No error if it is already gone.
  void Remove(std::string_view name) const;

 private:
  std::string study_path_;
  std::string folder_;       // absolute or relative to the working directory, as the study's path
  std::string folder_name_;  // last component
};

}  // namespace bitpilot
