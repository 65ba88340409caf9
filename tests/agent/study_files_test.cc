#include "agent/study/study_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "kernels/base/sha256.h"
#include "tests/agent/study_fixture.h"
#include "tests/full_disk.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

constexpr char kId[] = "1111";

TEST(StudyFilesTest, StudiesWhoseNamesDifferAfterTheLastDotShareNoFile) {
  const StudyFolder folder;
  const StudyFiles one(folder.Path("r8.seed1"));
  const StudyFiles two(folder.Path("r8.seed2"));
  EXPECT_NE(one.folder(), two.folder());
  EXPECT_NE(StudyFiles(folder.Path("a.db")).folder(), StudyFiles(folder.Path("a.sqlite")).folder());
  const StoredFile stored = ValueOrDie(one.Put(StudyFileKind::kNetwork, "network"));
  EXPECT_EQ(two.Get(stored).status().code(), StatusCode::kNotFound);
  two.Remove(stored);
  EXPECT_EQ(ValueOrDie(one.Get(stored)), "network");
}

TEST(StudyFilesTest, NamesAFileByItsContent) {
  const StudyFolder folder;
  const StudyFiles files(folder.Path("a.db"));
  const StoredFile network = ValueOrDie(files.Put(StudyFileKind::kNetwork, "bytes"));
  EXPECT_EQ(network.sha256, Sha256Hex("bytes"));
  EXPECT_EQ(network.file, "networks/" + Sha256Hex("bytes") + ".bpnet");
  const StoredFile checkpoint = ValueOrDie(files.Put(StudyFileKind::kCheckpoint, "bytes"));
  EXPECT_EQ(checkpoint.file, "checkpoints/" + Sha256Hex("bytes") + ".ckpt");
  EXPECT_TRUE(std::filesystem::exists(folder.Path("a.db.files/" + network.file)));
  files.Remove(network);
  EXPECT_EQ(files.Get(network).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ValueOrDie(files.Get(checkpoint)), "bytes");
}

TEST(StudyFilesTest, RefusesTheFolderOfAnotherStudy) {
  const StudyFolder folder;
  const StudyFiles files(folder.Path("a.db"), kId);
  ASSERT_TRUE(files.CheckUnused().ok());
  EXPECT_TRUE(files.CheckOwner().ok());
  EXPECT_TRUE(folder.FileNames().empty()) << "in the way of a folder that is still to come";
  ASSERT_TRUE(files.Put(StudyFileKind::kNetwork, "network").ok());
  EXPECT_TRUE(files.CheckOwner().ok());
  const StudyFiles another(folder.Path("a.db"), "2222");
  const Status other = another.CheckOwner();
  EXPECT_EQ(other.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(other.message(), HasSubstr("a.db.files: belongs to another study"));
  const Status unused = files.CheckUnused();
  EXPECT_EQ(unused.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(unused.message(), HasSubstr("a.db.files"));
}

TEST(StudyFilesTest, SaysWhatIsMissingAndWhatWasChanged) {
  const StudyFolder folder;
  const StudyFiles files(folder.Path("a.db"));
  const StoredFile stored = ValueOrDie(files.Put(StudyFileKind::kNetwork, "bytes"));
  WriteBytes(folder.Path("a.db.files/" + stored.file), "other");
  const Status changed = files.Get(stored).status();
  EXPECT_EQ(changed.code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(changed.message(), HasSubstr(Sha256Hex("other")));
  std::filesystem::remove(folder.Path("a.db.files/" + stored.file));
  const Status missing = files.Get(stored).status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("a.db.files/" + stored.file));
  std::filesystem::remove_all(folder.Path("a.db.files"));
  EXPECT_THAT(files.Get(stored).status().message(),
              HasSubstr("needs its folder of files, " + folder.Path("a.db.files")));
}

TEST(StudyFilesTest, FindsItsFolderUnderTheNameThatTheStudyHadBefore) {
  const StudyFolder folder;
  const StoredFile stored =
      ValueOrDie(StudyFiles(folder.Path("old.db"), kId).Put(StudyFileKind::kNetwork, "bytes"));
  ValueOrDie(StudyFiles(folder.Path("b.db"), "2222").Put(StudyFileKind::kNetwork, "bytes"));
  const Status renamed = StudyFiles(folder.Path("new.db"), kId).Get(stored).status();
  EXPECT_EQ(renamed.code(), StatusCode::kNotFound);
  EXPECT_THAT(renamed.message(), HasSubstr("`mv " + folder.Path("old.db.files") + " " +
                                           folder.Path("new.db.files") + "`"));
  EXPECT_THAT(StudyFiles(folder.Path("new.db"), "3333").Get(stored).status().message(),
              HasSubstr("copy the whole folder along with the study"));
}

// A copy of the database has its id. Moving the folder would break the study that it is a copy of.
TEST(StudyFilesTest, LeavesTheFolderToTheStudyThatIsStillThere) {
  const StudyFolder folder;
  const StoredFile stored =
      ValueOrDie(StudyFiles(folder.Path("old.db"), kId).Put(StudyFileKind::kNetwork, "bytes"));
  WriteBytes(folder.Path("old.db"), "a study");
  EXPECT_THAT(StudyFiles(folder.Path("copy.db"), kId).Get(stored).status().message(),
              HasSubstr("`cp -r " + folder.Path("old.db.files") + " " +
                        folder.Path("copy.db.files") + "`"));
}

TEST(StudyFilesTest, F15FindsWhatAnOlderStudyStoredAndLeavesItAlone) {
  const StudyFolder folder;
  std::filesystem::create_directories(folder.Path("demo.files/networks"));
  WriteBytes(folder.Path("demo.files/networks/step-3.bpnet"), "old");
  const StudyFiles files(folder.Path("demo.db"), kId);
  EXPECT_TRUE(files.CheckOwner().ok());
  const StoredFile by_step = NetworkFile({}, "networks/step-3.bpnet");
  EXPECT_EQ(ValueOrDie(files.Get(by_step)), "old");
  const StoredFile logged{Sha256Hex("old"), "demo.files/networks/step-3.bpnet"};
  EXPECT_EQ(ValueOrDie(files.Get(logged)), "old");
  EXPECT_TRUE(HasOlderName(logged.file));
  EXPECT_FALSE(HasOlderName(by_step.file));
  EXPECT_TRUE(Names(logged, by_step));
  EXPECT_FALSE(Names(logged, NetworkFile({}, "networks/step-4.bpnet")));
  files.Remove(by_step);
  files.Remove(logged);
  EXPECT_EQ(ReadBytes(folder.Path("demo.files/networks/step-3.bpnet")), "old");
  EXPECT_EQ(files.Get({Sha256Hex("new"), logged.file}).status().code(), StatusCode::kDataCorrupt);
}

TEST(StudyFilesTest, AStudyThatWasRenamedFindsItsOlderFiles) {
  const StudyFolder folder;
  std::filesystem::create_directories(folder.Path("demo.files/checkpoints"));
  WriteBytes(folder.Path("demo.files/checkpoints/step-3.ckpt"), "old");
  const StudyFiles files(folder.Path("renamed.db"));
  EXPECT_EQ(ValueOrDie(files.Get({Sha256Hex("old"), "demo.files/checkpoints/step-3.ckpt"})), "old");
}

TEST(StudyFilesTest, PutsNothingOnAFullDisk) {
  const StudyFolder folder;
  const StudyFiles files(folder.Path("a.db"));
  Status status;
  {
    const FullDisk disk;
    status = files.Put(StudyFileKind::kNetwork, "bytes").status();
  }
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(std::filesystem::is_empty(folder.Path("a.db.files/networks")));
}

}  // namespace
}  // namespace bitpilot
