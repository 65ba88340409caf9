#include "agent/study/study_files.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "kernels/base/atomic_file.h"
#include "kernels/base/file_io.h"
#include "kernels/base/sha256.h"
#include "kernels/base/shell_word.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

constexpr char kOwnerFile[] = "study";

// "networks/a" of "demo.files/networks/a", which older events hold; all of other names.
std::string_view WithoutFolder(std::string_view file) {
  const std::size_t slash = file.find('/');
  const bool has_folder =
      slash != std::string_view::npos && file.substr(0, slash).ends_with(".files");
  return has_folder ? file.substr(slash + 1) : file;
}

}  // namespace

std::string StudyFileName(StudyFileKind kind, std::string_view sha256) {
  const std::string name(sha256);
  switch (kind) {
    case StudyFileKind::kNetwork:
      return "networks/" + name + ".bpnet";
    case StudyFileKind::kCheckpoint:
      return "checkpoints/" + name + ".ckpt";
    case StudyFileKind::kLosses:
      return "losses/" + name + ".f32";
  }
  return name;
}

StoredFile NetworkFile(const std::string& sha256, std::string_view older_name) {
  if (sha256.empty()) return {{}, std::string(older_name)};
  return {sha256, StudyFileName(StudyFileKind::kNetwork, sha256)};
}

std::string OlderStepFile(int step) { return "networks/step-" + std::to_string(step) + ".bpnet"; }

bool Names(const StoredFile& logged, const StoredFile& expected) {
  return WithoutFolder(logged.file) == expected.file &&
         (expected.sha256.empty() || logged.sha256 == expected.sha256);
}

bool HasOlderName(std::string_view file) { return WithoutFolder(file) != file; }

StudyFiles::StudyFiles(const std::string& study_path, std::string study_id)
    : study_path_(study_path), study_id_(std::move(study_id)), folder_(study_path + ".files") {
  older_folder_ = fs::path(study_path).replace_extension(".files").string();
}

Status StudyFiles::CheckUnused() const {
  std::error_code error;
  if (!fs::exists(folder_, error) || fs::is_empty(folder_, error)) return Status();
  return InvalidArgument(folder_ + ": belongs to another study than the new " + study_path_ +
                         "; keep it beside its own study, remove it, or choose another name");
}

std::string StudyFiles::OwnerPath() const { return folder_ + "/" + kOwnerFile; }

Status StudyFiles::CheckOwner() const {
  const Result<std::string> owner = ReadFile(OwnerPath());
  if (!owner.ok()) {
    return owner.status().code() == StatusCode::kNotFound ? Status() : owner.status();
  }
  if (*owner == study_id_ + "\n") return Status();
  return InvalidArgument(folder_ + ": belongs to another study than " + study_path_ +
                         " (the file \"" + kOwnerFile + "\" in it should hold " + study_id_ +
                         "); put this study's own folder of files beside it");
}

std::string StudyFiles::RenamedFolder() const {
  if (study_id_.empty()) return {};
  const fs::path parent = fs::path(folder_).parent_path();
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(parent.empty() ? fs::path(".") : parent, error)) {
    const Result<std::string> owner = ReadFile((entry.path() / kOwnerFile).string());
    if (owner.ok() && *owner == study_id_ + "\n") {
      return (parent / entry.path().filename()).string();
    }
  }
  return {};
}

Status StudyFiles::CheckFolder() const {
  std::error_code error;
  if (fs::exists(folder_, error) || fs::exists(older_folder_, error)) return Status();
  const std::string text = study_path_ + " needs its folder of files, " + folder_ +
                           ", which is not there (it is named after the study)";
  const std::string renamed = RenamedFolder();
  if (renamed.empty()) {
    return Status(StatusCode::kNotFound, text + "; copy the whole folder along with the study");
  }
  // A copy of a study has its id, and must not take its folder away.
  const fs::path other_study = fs::path(renamed).replace_extension();  // less ".files"
  const bool is_needed = fs::is_regular_file(other_study, error);
  return Status(StatusCode::kNotFound, text + "; it lies beside it under another name: `" +
                                           (is_needed ? "cp -r " : "mv ") + ShellWord(renamed) +
                                           " " + ShellWord(folder_) + "`");
}

Result<StoredFile> StudyFiles::Put(StudyFileKind kind, std::string_view bytes) const {
  const std::string sha256 = Sha256Hex(bytes);
  StoredFile stored{sha256, StudyFileName(kind, sha256)};
  const std::string path = folder_ + "/" + stored.file;
  BITPILOT_RETURN_IF_ERROR(MakeFolderDurably(fs::path(path).parent_path()));
  std::error_code error;
  if (!study_id_.empty() && !fs::exists(OwnerPath(), error)) {
    BITPILOT_RETURN_IF_ERROR(WriteFileAtomically(OwnerPath(), study_id_ + "\n"));
  }
  BITPILOT_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  return stored;
}

// Where it may be, first of all where this bitpilot writes it.
std::vector<std::string> StudyFiles::PlacesOf(const StoredFile& stored) const {
  const std::string name(WithoutFolder(stored.file));
  std::vector<std::string> places = {folder_ + "/" + name, older_folder_ + "/" + name};
  if (name != stored.file) {
    places.push_back((fs::path(study_path_).parent_path() / stored.file).string());
  }
  return places;
}

Result<std::string> StudyFiles::Get(const StoredFile& stored) const {
  const std::vector<std::string> places = PlacesOf(stored);
  Status damaged;
  for (const std::string& path : places) {
    Result<std::string> content = ReadFile(path);
    if (!content.ok()) {
      if (content.status().code() != StatusCode::kNotFound) return content.status();
      continue;
    }
    const std::string sha256 = Sha256Hex(*content);
    if (stored.sha256.empty() || sha256 == stored.sha256) return content;
    damaged = DataCorrupt(path + " does not hold what " + study_path_ +
                          " recorded: expected SHA-256 " + stored.sha256 + ", got " + sha256);
  }
  if (!damaged.ok()) return damaged;
  BITPILOT_RETURN_IF_ERROR(CheckFolder());
  return Status(StatusCode::kNotFound,
                study_path_ + " needs " + places.front() +
                    ", which is not there; copy the whole folder of files along with the study");
}

void StudyFiles::Remove(const StoredFile& stored) const {
  if (stored.sha256.empty()) return;
  std::error_code ignored;
  fs::remove(folder_ + "/" + stored.file, ignored);
}

}  // namespace bitpilot
