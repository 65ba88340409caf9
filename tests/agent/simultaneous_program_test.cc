// Two `bitpilot search` on one study, started at the same moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <utility>

#include "tests/agent/program.h"
#include "tests/agent/small_sample.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using Arguments = std::vector<std::string>;

class SimultaneousProgramTest : public testing::Test {
 protected:
  SimultaneousProgramTest() { UseSmallSample(); }

  Arguments Search(const std::string& seed) const {
    return {ProgramPath("bitpilot"),
            "search",
            "--fast",
            "--widths",
            "4,8",
            "--measurements",
            "3",
            "--study",
            study_,
            "--seed",
            seed,
            "--device",
            "model:zen5_avx2_resnet8",
            "--calibration-images",
            "16"};
  }

  // Runs both at once; {the one that ended first with 0 or the first, the other}.
  static std::pair<ProgramResult, ProgramResult> AtOnce(const Arguments& a, const Arguments& b) {
    std::future<ProgramResult> other =
        std::async(std::launch::async, [&] { return RunProgram(b); });
    ProgramResult first = RunProgram(a);
    ProgramResult second = other.get();
    if (first.exit_code != 0) std::swap(first, second);
    return {std::move(first), std::move(second)};
  }

  void ExpectSound() const {
    const ProgramResult files =
        RunProgram({ProgramPath("bitpilot"), "log", "verify", "--files", study_});
    EXPECT_EQ(files.exit_code, 0) << files.err;
    const ProgramResult replay =
        RunProgram({ProgramPath("bitpilot"), "replay", "--verify", study_});
    EXPECT_EQ(replay.exit_code, 0) << replay.err;
  }

  const StudyFolder folder_;
  const std::string study_ = folder_.Path("a.db");
};

TEST_F(SimultaneousProgramTest, OneStartsANewStudyAndTheOtherSaysSo) {
  const auto [winner, loser] = AtOnce(Search("1"), Search("2"));
  EXPECT_EQ(winner.exit_code, 0) << winner.err;
  EXPECT_NE(loser.exit_code, 0) << loser.err;
  // While the winner writes, or after it has ended.
  EXPECT_THAT(loser.err,
              testing::AnyOf(HasSubstr(study_ + ": is being written by process "),
                             HasSubstr(study_ + " exists"), HasSubstr(study_ + ": exists"),
                             HasSubstr("belongs to another study")));
  ExpectSound();
}

TEST_F(SimultaneousProgramTest, F65OneResumesAndTheOtherDestroysNothing) {
  const auto has_a_step = [&] {
    const auto study = Study::OpenReadOnly(study_);
    if (!study.ok()) return false;
    const auto events = (*study)->Events();
    return events.ok() && std::any_of(events->begin(), events->end(), [](const Event& event) {
             return event.kind == TransitionEvent::kKind;
           });
  };
  RunProgramUntil(Search("1"), SIGKILL, has_a_step);
  const Arguments resume = {ProgramPath("bitpilot"), "search", "--study", study_, "--resume"};
  const auto [winner, other] = AtOnce(resume, resume);
  EXPECT_EQ(winner.exit_code, 0) << winner.err;
  // It may also have come after the end, and then tells the same result.
  if (other.exit_code != 0) {
    EXPECT_THAT(other.err, HasSubstr(study_ + ": is being written by process "));
  } else {
    EXPECT_THAT(winner.err + other.err, HasSubstr("the study had ended"));
  }
  ExpectSound();
}

}  // namespace
}  // namespace bitpilot
