#include "agent/study/study.h"

#include <gtest/gtest.h>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

TEST(StudyTest, ReturnsWhatWasAppendedInOrder) {
  StudyFolder folder;
  const std::string path = folder.Path("a.db");
  {
    Result<std::unique_ptr<Study>> study = Study::Create(path, R"({"seed":7})");
    ASSERT_TRUE(study.ok()) << study.status().message();
    ASSERT_TRUE((*study)->Append("proposal", R"({"step":0})").ok());
    const Status stored = (*study)->AppendMeasurement(MeasuredRow("m1", 1e6));
    ASSERT_TRUE(stored.ok()) << stored.message();
    ASSERT_TRUE((*study)->PutArtifact("abc", "checkpoint", "a.ckpt").ok());
    const Status closed = (*study)->Close();
    ASSERT_TRUE(closed.ok()) << closed.message();
  }
  Result<std::unique_ptr<Study>> study = Study::OpenForResume(path);
  ASSERT_TRUE(study.ok()) << study.status().message();
  Result<std::vector<Event>> events = (*study)->Events();
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 4u);
  EXPECT_EQ(events->at(0).payload, R"({"seed":7})");
  EXPECT_EQ(events->at(3).kind, "artifact");
  Result<std::optional<LogProblem>> problem = VerifyLog(path);
  ASSERT_TRUE(problem.ok()) << problem.status().message();
  EXPECT_FALSE(problem->has_value()) << (*problem)->seq << " " << (*problem)->what;
}

}  // namespace
}  // namespace bitpilot
