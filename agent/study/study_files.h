// StudyFiles: the files that belong to a study, in a folder beside it.
//
//   runs/demo.db           the study
//   runs/demo.db.files/    study: whose folder it is
//                          networks/<SHA-256>.bpnet, checkpoints/<SHA-256>.ckpt,
//                          losses/<SHA-256>.f32
//                          unfinished/: of the session, while uniform 8 bit trains alone
//
// Every file is named by its content, and an event of the study holds the hash. Studies of an older
// bitpilot have runs/demo.files/ with names such as networks/step-12.bpnet: what is there is found,
// and nothing there is written or removed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

enum class StudyFileKind : std::uint8_t { kNetwork, kCheckpoint, kLosses };

// What an event says of a file.
struct StoredFile {
  std::string sha256;  // of the content; empty: an older bitpilot did not say
  std::string file;    // relative to the folder of files

  friend bool operator==(const StoredFile&, const StoredFile&) = default;
};

// "networks/<sha256>.bpnet", "checkpoints/<sha256>.ckpt", "losses/<sha256>.f32".
std::string StudyFileName(StudyFileKind kind, std::string_view sha256);

// The network whose hash an event holds; under its older name ("networks/step-12.bpnet") if the
// event holds none.
StoredFile NetworkFile(const std::string& sha256, std::string_view older_name);

// Names of an older bitpilot.
inline constexpr char kOlderUniform8File[] = "networks/uniform-8.bpnet";
inline constexpr char kOlderUniform4File[] = "networks/uniform-4.bpnet";
std::string OlderStepFile(int step);

// True if `logged` names `expected`: the same name and hash; only the name where `expected` has no
// hash. (Older events have the folder's name in front.)
bool Names(const StoredFile& logged, const StoredFile& expected);

// True of "demo.files/checkpoints/step-3.ckpt" and the like, which events of an older bitpilot hold.
bool HasOlderName(std::string_view file);

class StudyFiles {
 public:
  // study_id: Study::Id(), by which the folder says whose it is; empty for who only reads.
  explicit StudyFiles(const std::string& study_path, std::string study_id = {});

  const std::string& folder() const { return folder_; }

  // For a study that is about to be created.
  //
  // Errors: kInvalidArgument if its folder holds something: it is another study's.
  Status CheckUnused() const;

  // For a study that goes on. A folder that is not there, or does not say whose it is, is no error,
  // and none is made: the right one may still be put in its place.
  //
  // Errors: kInvalidArgument if the folder is another study's; what the disk says.
  Status CheckOwner() const;

  // For a study that needs a file of its own.
  //
  // Errors: kNotFound if the whole folder is not there, with the command that puts it in its place if
  // it lies beside the study under another name, as of a study that was renamed alone.
  Status CheckFolder() const;

  // Makes the folder if it is missing, and notes in it whose it is. Durable when it returns.
  //
  // Errors: as WriteFileAtomically() (kernels/base/file_io.h).
  Result<StoredFile> Put(StudyFileKind kind, std::string_view bytes) const;

  // The content, which has the hash.
  //
  // Errors: CheckFolder()'s; kNotFound says which file of which study is missing; kDataCorrupt if it does not match.
  Result<std::string> Get(const StoredFile& stored) const;

  // No error if it is already gone. What has no hash stays: it may be another study's.
  void Remove(const StoredFile& stored) const;

 private:
  std::vector<std::string> PlacesOf(const StoredFile& stored) const;
  std::string OwnerPath() const;
  // A folder of another name, beside the study, that says it is this one's; empty if there is none.
  std::string RenamedFolder() const;

  std::string study_path_;
  std::string study_id_;
  std::string folder_;        // absolute or relative to the working directory, as the study's path
  std::string older_folder_;  // of a study of an older bitpilot
};

}  // namespace bitpilot
