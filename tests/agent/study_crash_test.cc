// kill -9 of a process that appends: no acknowledged row is lost and the log verifies.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

// The child: appends events and measurements whose ids continue the study's, and acknowledges each
// on `pipe`.
[[noreturn]] void AppendForever(const std::string& path, int pipe) {
  Result<std::unique_ptr<Study>> study = std::filesystem::exists(path)
                                             ? Study::OpenForResume(path)
                                             : Study::Create(path, R"({"seed":1})");
  if (!study.ok()) {
    std::fprintf(stderr, "%s\n", study.status().message().c_str());
    _exit(1);
  }
  auto id = static_cast<std::int32_t>((*study)->Measurements().value().size());
  while (true) {
    ++id;
    if (!(*study)->Append("proposal", "{\"step\":" + std::to_string(id) + "}").ok()) _exit(2);
    if (!(*study)->AppendMeasurement(MeasuredRow("m" + std::to_string(id), 1e6 + id)).ok()) {
      _exit(3);
    }
    if (write(pipe, &id, sizeof(id)) != sizeof(id)) _exit(4);
  }
}

// Kills the child after `acknowledged` rows and `then_us` more. Returns the last id that it
// acknowledged, 0 if none.
std::int32_t RunAndKill(const std::string& path, int acknowledged, int then_us) {
  int ends[2];
  BITPILOT_CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  BITPILOT_CHECK(child >= 0);
  if (child == 0) {
    close(ends[0]);
    AppendForever(path, ends[1]);
  }
  close(ends[1]);
  std::int32_t last = 0;
  std::int32_t id = 0;
  for (int i = 0; i < acknowledged && read(ends[0], &id, sizeof(id)) == sizeof(id); ++i) last = id;
  usleep(static_cast<useconds_t>(then_us));
  kill(child, SIGKILL);
  while (read(ends[0], &id, sizeof(id)) == sizeof(id)) last = id;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
  return last;
}

TEST(StudyCrashTest, F8LosesNoAcknowledgedRowToKillAtFiftyPoints) {
  const StudyFolder folder;
  const std::string path = folder.Path("a.db");
  std::mt19937 random(20240611);
  std::int32_t acknowledged = 0;
  for (int round = 0; round < 50; ++round) {
    // Every third round is killed while it opens or creates the study.
    const int rows = round % 3 == 0 ? 0 : static_cast<int>(random() % 30);
    acknowledged =
        std::max(acknowledged, RunAndKill(path, rows, static_cast<int>(random() % 4000)));
    if (!std::filesystem::exists(path)) {
      ASSERT_EQ(acknowledged, 0);
      continue;
    }
    ASSERT_EQ(Problem(path), "") << "round " << round;
    const auto reader = ValueOrDie(Study::OpenReadOnly(path));
    const auto stored = static_cast<std::int32_t>(ValueOrDie(reader->Measurements()).size());
    EXPECT_GE(stored, acknowledged);
    EXPECT_LE(stored, acknowledged + 1);
    acknowledged = stored;
  }
  EXPECT_GT(acknowledged, 0);
}

}  // namespace
}  // namespace bitpilot
