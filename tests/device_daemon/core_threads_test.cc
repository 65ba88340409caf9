#include "device_daemon/measurement/core_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace bitpilot {
namespace {

using testing::HasSubstr;

std::vector<CpuCore> CoresOf(const std::vector<int>& cpus) {
  std::vector<CpuCore> cores(cpus.size());
  for (std::size_t i = 0; i < cpus.size(); ++i) cores[i].cpu = cpus[i];
  return cores;
}

// Starts threads on the first CPU that the test may use; gives it back all of them at its end.
class CoreThreadsTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0); }
  void TearDown() override { EXPECT_EQ(sched_setaffinity(0, sizeof before_, &before_), 0); }

  const int cpu_ = AllowedCpus().front();

 private:
  cpu_set_t before_;
};

TEST_F(CoreThreadsTest, StartsNoThreadForOneCore) {
  const Result<CoreThreads> threads = StartThreadsOn(CoresOf({cpu_}));
  ASSERT_TRUE(threads.ok()) << threads.status().message();
  EXPECT_EQ(threads->pool, nullptr);
  EXPECT_EQ(threads->CpuNames(), "CPU " + std::to_string(cpu_));
  EXPECT_EQ(AllowedCpus(), std::vector<int>{cpu_});
}

TEST_F(CoreThreadsTest, KeepsEachThreadOnItsCpu) {
  const Result<CoreThreads> threads = StartThreadsOn(CoresOf({cpu_, cpu_}));
  ASSERT_TRUE(threads.ok()) << threads.status().message();
  ASSERT_NE(threads->pool, nullptr);
  const ThreadPool::Awake awake(threads->pool.get());
  std::vector<int> cpus[2];
  std::atomic<bool> other_began = false;
  threads->pool->Run(2, [&](int i) {
    cpus[i] = AllowedCpus();
    if (i == 1) other_began = true;
    while (!other_began) std::this_thread::yield();  // Or the caller would do both.
  });
  EXPECT_EQ(cpus[0], std::vector<int>{cpu_});
  EXPECT_EQ(cpus[1], std::vector<int>{cpu_});
}

TEST_F(CoreThreadsTest, TellsWhichCpuTheSystemRefuses) {
  constexpr int kNoCpu = CPU_SETSIZE - 1;
  const Result<CoreThreads> threads = StartThreadsOn(CoresOf({cpu_, kNoCpu}));
  ASSERT_FALSE(threads.ok());
  EXPECT_EQ(threads.status().code(), StatusCode::kInternal);
  EXPECT_THAT(threads.status().message(), HasSubstr("CPU " + std::to_string(kNoCpu)));
}

TEST(CpuNamesTest, AreInOrder) {
  CoreThreads threads;
  threads.cores = CoresOf({7, 5, 6});
  EXPECT_EQ(threads.CpuNames(), "CPUs 5-7");
}

// Both threads on one CPU: while the caller computes, the other one lacks it.
TEST_F(CoreThreadsTest, ClockLeavesOutWhatTheOtherThreadsLacked) {
  constexpr std::int64_t kOtherWorkNs = 3'000'000;
  const Result<CoreThreads> threads = StartThreadsOn(CoresOf({cpu_, cpu_}));
  ASSERT_TRUE(threads.ok()) << threads.status().message();
  ThreadPool* pool = threads->pool.get();
  PoolClock clock = threads->Clock();
  const std::int64_t clock_start_ns = clock.ThreadCpuNs();
  const std::int64_t wall_start_ns = clock.WallNs();
  while (pool->LostNs(1) < kOtherWorkNs) {
    const ThreadPool::Awake awake(pool);
    std::atomic<bool> began = false;
    pool->Run(2, [&began](int i) {
      if (i == 1) began = true;
      while (!began) std::this_thread::yield();
    });
    const std::int64_t start_ns = SystemMeasureClock().ThreadCpuNs();
    while (SystemMeasureClock().ThreadCpuNs() < start_ns + kOtherWorkNs) {
    }
  }
  const std::int64_t passed_ns = clock.ThreadCpuNs() - clock_start_ns;
  EXPECT_GE(passed_ns, 0);
  EXPECT_LE(passed_ns, clock.WallNs() - wall_start_ns - kOtherWorkNs);
}

// Time that passes only as a test says.
class PassingClock final : public MeasureClock {
 public:
  std::int64_t WallNs() override { return wall_ns; }
  std::int64_t ThreadCpuNs() override { return cpu_ns; }
  std::int64_t wall_ns = 0;
  std::int64_t cpu_ns = 0;
};

TEST_F(CoreThreadsTest, ClockLeavesOutWhatTheCallingThreadLacked) {
  const Result<CoreThreads> threads = StartThreadsOn(CoresOf({cpu_, cpu_}));
  ASSERT_TRUE(threads.ok()) << threads.status().message();
  PassingClock system;
  PoolClock clock(system, threads->pool.get());
  const std::int64_t start_ns = clock.ThreadCpuNs();
  system.wall_ns += 100;
  system.cpu_ns += 90;
  EXPECT_EQ(clock.ThreadCpuNs() - start_ns, 90);
  system.wall_ns += 100;
  system.cpu_ns += 100;
  EXPECT_EQ(clock.ThreadCpuNs() - start_ns, 190);
  PoolClock alone(system, nullptr);
  EXPECT_EQ(alone.ThreadCpuNs(), 190);
}

}  // namespace
}  // namespace bitpilot
