// The file that `bitpilot search --metrics` keeps.
#include "agent/cli/search_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "kernels/base/text_file.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;
using testing::Not;

class NotingObserver : public SearchObserver {
 public:
  void OnPhase(const std::string& name, int) override { told.push_back("phase " + name); }
  void OnProgress(int done, const std::string&) override {
    told.push_back("progress " + std::to_string(done));
  }
  void OnStep(const SearchProblem&, const ProposalEvent& proposal, const TransitionEvent&,
              double) override {
    told.push_back("step " + std::to_string(proposal.step));
  }
  void OnNotice(const std::string& text) override { told.push_back("notice " + text); }
  void OnDetail(const std::string& text) override { told.push_back("detail " + text); }

  std::vector<std::string> told;
};

class SearchMetricsTest : public testing::Test {
 protected:
  std::string File() const { return ReadTextFile(path_).value(); }

  static void Step(SearchMetrics& metrics, int step, TransitionStatus status) {
    ProposalEvent proposal;
    proposal.step = step;
    TransitionEvent answer;
    answer.transition.status = status;
    SearchProblem problem;
    problem.uniform8.latency_ns = 4e6;
    if (status == TransitionStatus::kMeasured) {
      answer.transition.latency_ns = 2e6;
      answer.classes = {{kOnlyClass, Measured{0.5, 0.5, 0.5}, 1.0}};
    }
    metrics.OnStep(problem, proposal, answer, 0.25);
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "search.prom";
  NotingObserver display_;
};

TEST_F(SearchMetricsTest, CountsWhatTheDisplayIsTold) {
  SearchMetrics metrics(path_, "runs/a \"b\".db", display_);
  ASSERT_TRUE(metrics.Begin().ok());
  EXPECT_THAT(File(), HasSubstr("bitpilot_search_running{study=\"runs/a \\\"b\\\".db\"} 1\n"));
  metrics.OnPhase("searching", 30);
  Step(metrics, 0, TransitionStatus::kMeasured);
  Step(metrics, 1, TransitionStatus::kMeasured);
  Step(metrics, 2, TransitionStatus::kDiverged);
  metrics.OnNotice("the board is away");
  metrics.OnDetail("which one");
  metrics.OnProgress(7, "note");
  const std::string labels = "{study=\"runs/a \\\"b\\\".db\"";
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("steps_total" + labels + ",status=\"measured\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("steps_total" + labels + ",status=\"diverged\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("steps_total" + labels + ",status=\"failed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("phase" + labels + ",phase=\"searching\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("phase_done" + labels + "} 7\n"));
  EXPECT_THAT(text, HasSubstr("phase_items" + labels + "} 30\n"));
  EXPECT_THAT(text, HasSubstr("hypervolume" + labels + "} 0.25\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds" + labels + "} 0.002\n"));
  EXPECT_THAT(text, HasSubstr("notices_total" + labels + "} 1\n"));
  EXPECT_EQ(display_.told, (std::vector<std::string>{"phase searching", "step 0", "step 1",
                                                     "step 2", "notice the board is away",
                                                     "detail which one", "progress 7"}));
}

TEST_F(SearchMetricsTest, EachOfSeveralClassesHasALatencyOfItsOwn) {
  SearchMetrics metrics(path_, "a.db", display_);
  SearchProblem problem;
  problem.uniform8.latency_ns = 4e6;  // of "slow"
  problem.class_uniform8_ns = {{"slow", 4e6}, {"fast", 6e6}};
  TransitionEvent answer;
  answer.transition.status = TransitionStatus::kMeasured;
  answer.transition.latency_ns = 2e6;
  answer.classes = {{"slow", Measured{0.5, 0.5, 0.5}, 1.0}, {"fast", Measured{0.5, 0.5, 0.5}, 1.0}};
  metrics.OnStep(problem, ProposalEvent(), answer, 0.25);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("latency_seconds{study=\"a.db\",class=\"slow\"} 0.002\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds{study=\"a.db\",class=\"fast\"} 0.003\n"));
}

TEST_F(SearchMetricsTest, SaysAtTheEndThatNothingRuns) {
  {
    SearchMetrics metrics(path_, "a.db", display_);
    ASSERT_TRUE(metrics.Begin().ok());
    metrics.OnPhase("searching", 30);
  }
  EXPECT_THAT(File(), HasSubstr("bitpilot_search_running{study=\"a.db\"} 0\n"));
  EXPECT_THAT(File(), Not(HasSubstr("phase=")));
}

TEST_F(SearchMetricsTest, RefusesAFileThatCannotBeWritten) {
  SearchMetrics metrics(folder_ / "none/search.prom", "a.db", display_);
  const Status status = metrics.Begin();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("--metrics"));
}

TEST_F(SearchMetricsTest, WritesNothingWithoutAPath) {
  {
    SearchMetrics metrics("", "a.db", display_);
    ASSERT_TRUE(metrics.Begin().ok());
    metrics.OnPhase("searching", 30);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace bitpilot
