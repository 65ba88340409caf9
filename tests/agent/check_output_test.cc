#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/cli/command.h"
#include "agent/study/resume_command.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

class CheckOutputTest : public testing::Test {
 protected:
  std::string Refusal(const std::string& path, const std::vector<std::string>& inputs = {}) const {
    const Status status = CheckOutput("--output", path, inputs);
    EXPECT_EQ(status.ok() ? StatusCode::kOk : StatusCode::kInvalidArgument, status.code());
    return status.message();
  }

  StudyFolder folder_;
};

TEST_F(CheckOutputTest, RefusesWhatTheCommandReadsUnderAnyName) {
  const std::string weights = folder_.Path("n.safetensors");
  WriteBytes(weights, "weights");
  std::filesystem::create_symlink(weights, folder_.Path("link"));
  EXPECT_THAT(Refusal(weights, {"", weights}), HasSubstr("itself"));
  EXPECT_THAT(Refusal(folder_.Path("link"), {weights}), HasSubstr("itself"));
  EXPECT_THAT(Refusal(folder_.Path("./n.safetensors"), {weights}), HasSubstr("itself"));
  EXPECT_EQ(Refusal(weights, {folder_.Path("another")}), "")
      << "a file that is there may be replaced";
  EXPECT_EQ(ReadBytes(weights), "weights");
}

TEST_F(CheckOutputTest, RefusesAnyStudyAndTheFilesBesideIt) {
  const std::string study = folder_.Path("a.db");
  ASSERT_TRUE(Study::Create(study, "{}").ok());
  std::filesystem::create_symlink(study, folder_.Path("a.html"));
  EXPECT_THAT(Refusal(study), HasSubstr("is a study"));
  EXPECT_THAT(Refusal(folder_.Path("a.html")), HasSubstr("is a study"));
  for (const char* ending : {"-wal", "-shm", "-journal", ".lock", ".files"}) {
    EXPECT_THAT(Refusal(study + ending), HasSubstr("belongs to the study " + study)) << ending;
  }
  EXPECT_EQ(Refusal(folder_.Path("b.db.files")), "");
}

TEST(ReportCommandTest, NamesThePageAfterTheStudy) {
  EXPECT_EQ(ReportCommand("runs/a.db"), "bitpilot report runs/a.db -o runs/a.html");
  EXPECT_EQ(ReportCommand("my.seed1"), "bitpilot report my.seed1 -o my.seed1.html");
  EXPECT_EQ(ReportCommand("my study.db"), "bitpilot report 'my study.db' -o 'my study.html'");
}

TEST(ResumeCommandTest, QuotesTheStudyForAShell) {
  EXPECT_EQ(ResumeCommand("my study.db"), "bitpilot search --study 'my study.db' --resume");
}

}  // namespace
}  // namespace bitpilot
