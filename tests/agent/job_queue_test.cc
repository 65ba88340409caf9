#include "agent/fleet/job_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bitpilot::fleet {
namespace {

using testing::ElementsAre;

class JobQueueTest : public testing::Test {
 protected:
  void Add(JobId job, int priority = 0, const std::string& stream = "",
           const std::string& tag = "pi") {
    JobQueue::Entry entry;
    entry.job = job;
    entry.lane = {tag, {}};
    entry.priority = priority;
    entry.stream = stream;
    entry.place = ++places_;
    queue_.Add(entry);
  }
  JobId Take(const std::vector<std::string>& tags = {"pi"}, BoardId board = 1) {
    std::vector<Lane> lanes;
    for (const std::string& tag : tags) lanes.push_back({tag, {}});
    return queue_.Take(lanes, board).value_or(0);
  }
  std::vector<JobId> TakeAll() {
    std::vector<JobId> jobs;
    while (const JobId job = Take()) jobs.push_back(job);
    return jobs;
  }

  JobQueue queue_;
  std::uint64_t places_ = 0;
};

TEST_F(JobQueueTest, GivesOutAsTheyCame) {
  for (JobId job = 1; job <= 3; ++job) Add(job);
  EXPECT_THAT(TakeAll(), ElementsAre(1, 2, 3));
}

TEST_F(JobQueueTest, GivesTheHigherPriorityOutFirst) {
  Add(1, -1);
  Add(2, 0);
  Add(3, 5);
  EXPECT_THAT(TakeAll(), ElementsAre(3, 2, 1));
}

TEST_F(JobQueueTest, ServesStreamsInTurnHoweverManyJobsOneHas) {
  for (JobId job = 1; job <= 6; ++job) Add(job, 0, "many");
  Add(7, 0, "few");
  Add(8, 0, "few");
  EXPECT_THAT(TakeAll(), ElementsAre(1, 7, 2, 8, 3, 4, 5, 6));
}

// A stream of urgent jobs that never ends.
TEST_F(JobQueueTest, LetsNoJobWaitForEver) {
  Add(1, 0, "patient");
  JobId next = 2;
  Add(next++, 2, "urgent");
  int passed_over = 0;
  for (;; ++passed_over) {
    ASSERT_LT(passed_over, 100);
    Add(next++, 2, "urgent");
    if (Take() == 1) break;
  }
  EXPECT_EQ(passed_over, 2 * static_cast<int>(JobQueue::kAgeing));
}

TEST_F(JobQueueTest, GivesABoardOnlyWhatItServesAndMayHave) {
  Add(1, 0, "", "x86");
  JobQueue::Entry entry;
  entry.job = 2;
  entry.lane = {"pi", {}};
  entry.place = ++places_;
  entry.avoids = {1};
  queue_.Add(entry);
  Add(3);
  EXPECT_EQ(Take({"pi"}, 1), 3U) << "the one before it avoids this board";
  EXPECT_EQ(Take({"pi"}, 1), 0U);
  EXPECT_EQ(Take({"pi", "x86"}, 2), 1U);
  EXPECT_EQ(Take({"pi", "x86"}, 2), 2U);
  EXPECT_EQ(queue_.size(), 0U);
}

TEST_F(JobQueueTest, GivesAJobThatComesBackItsOldPlace) {
  JobQueue::Entry entry;
  entry.job = 1;
  entry.lane = {"pi", {}};
  entry.place = ++places_;
  queue_.Add(entry);
  Add(2);
  Add(3);
  EXPECT_EQ(Take(), 1U);
  queue_.Add(entry);
  EXPECT_THAT(TakeAll(), ElementsAre(1, 2, 3));
}

TEST_F(JobQueueTest, ForgetsWhatIsRemoved) {
  Add(1);
  Add(2);
  queue_.Remove(1);
  queue_.Remove(77);
  EXPECT_FALSE(queue_.Contains(1));
  EXPECT_THAT(TakeAll(), ElementsAre(2));
}

}  // namespace
}  // namespace bitpilot::fleet
