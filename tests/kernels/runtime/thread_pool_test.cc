#include "kernels/runtime/thread_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/cpu/thread_cpu_time.h"
#include "tests/kernels/largest_allocation.h"

namespace bitpilot {
namespace {

std::unique_ptr<ThreadPool> MakePool(int num_threads) {
  return ThreadPool::Create({.num_threads = num_threads}).value();
}

TEST(ThreadPoolTest, StartsEveryThreadBeforeItIsHandedOver) {
  std::vector<std::thread::id> ids(4);
  const auto note = [&ids](int i) {
    ids[static_cast<std::size_t>(i)] = std::this_thread::get_id();
  };
  const auto pool = ThreadPool::Create({.num_threads = 4, .on_start = note});
  ASSERT_TRUE(pool.ok());
  EXPECT_EQ((*pool)->num_threads(), 4);
  ids[0] = std::this_thread::get_id();
  EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), 4U);
}

TEST(ThreadPoolTest, RunsEveryPartOnce) {
  const auto pool = MakePool(3);
  const ThreadPool::Awake awake(pool.get());
  for (int job = 0; job < 2000; ++job) {
    const int num_parts = 1 + job % 3;
    int runs[3] = {};  // Plain: one thread writes each, and the caller reads them behind it.
    pool->Run(num_parts, [&runs](int i) { ++runs[i]; });
    for (int i = 0; i < 3; ++i) ASSERT_EQ(runs[i], i < num_parts ? 1 : 0) << "job " << job;
  }
}

// Each job reads what all parts of the one before wrote.
TEST(ThreadPoolTest, ShowsEveryPartWhatTheLastJobWrote) {
  constexpr int kParts = 3;
  const auto pool = MakePool(kParts);
  std::vector<int> from(kParts, 1);
  std::vector<int> to(kParts);
  for (int inference = 0; inference < 20; ++inference) {
    const ThreadPool::Awake awake(pool.get());
    for (int job = 0; job < 50; ++job) {
      pool->Run(kParts, [&from, &to](int i) {
        int sum = 0;
        for (const int value : from) sum += value;
        to[static_cast<std::size_t>(i)] = sum % 1000 + i;
      });
      const int sum = (from[0] + from[1] + from[2]) % 1000;
      ASSERT_EQ(to, (std::vector<int>{sum, sum + 1, sum + 2}));
      std::swap(from, to);
    }
  }
}

// Part 0 ends when part 1 has begun: which only another thread can do.
TEST(ThreadPoolTest, RunsPartsSideBySide) {
  const auto pool = MakePool(2);
  for (int inference = 0; inference < 10; ++inference) {
    const ThreadPool::Awake awake(pool.get());
    std::atomic<bool> other_began = false;
    std::thread::id ids[2];
    pool->Run(2, [&](int i) {
      ids[i] = std::this_thread::get_id();
      if (i == 1) other_began = true;
      while (!other_began) std::this_thread::yield();
    });
    EXPECT_EQ(ids[0], std::this_thread::get_id());
    EXPECT_NE(ids[1], ids[0]);
  }
}

TEST(ThreadPoolTest, WaitsForNoThreadThatSleeps) {
  const auto pool = MakePool(3);
  std::thread::id ids[3];
  for (int job = 0; job < 100; ++job) {
    pool->Run(3, [&ids](int i) { ids[i] = std::this_thread::get_id(); });
    for (const std::thread::id id : ids) ASSERT_EQ(id, std::this_thread::get_id());
  }
}

TEST(ThreadPoolTest, LeavesEveryThreadItsPartWhereTheCallerDoesNotHelp) {
  const auto pool = ThreadPool::Create({.num_threads = 3, .caller_helps = false}).value();
  for (int inference = 0; inference < 5; ++inference) {
    const ThreadPool::Awake awake(pool.get());
    std::thread::id ids[3];
    for (int job = 0; job < 5; ++job) {
      pool->Run(3, [&ids](int i) { ids[i] = std::this_thread::get_id(); });
      ASSERT_EQ(std::set<std::thread::id>(ids, ids + 3).size(), 3U);
    }
  }
}

// Of another thread.
std::int64_t CpuNsOf(pthread_t thread) {
  clockid_t clock{};
  timespec time{};
  EXPECT_EQ(pthread_getcpuclockid(thread, &clock), 0);
  EXPECT_EQ(clock_gettime(clock, &time), 0);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

TEST(ThreadPoolTest, ThreadsSpinWhileAwakeAndSleepOtherwise) {
  constexpr std::int64_t kSpunNs = 500'000;
  pthread_t other{};
  const auto pool =
      ThreadPool::Create({.num_threads = 2, .on_start = [&other](int) { other = pthread_self(); }})
          .value();
  {
    const ThreadPool::Awake awake(pool.get());
    const std::int64_t start_ns = CpuNsOf(other);
    while (CpuNsOf(other) < start_ns + kSpunNs) std::this_thread::yield();
  }
  // Whatever it still has to do until it sleeps, it is far less than what it could.
  const std::int64_t own_start_ns = ThreadCpuNs();
  const std::int64_t others_start_ns = CpuNsOf(other);
  while (ThreadCpuNs() < own_start_ns + 20 * kSpunNs) {
  }
  EXPECT_LT(CpuNsOf(other) - others_start_ns, kSpunNs);
}

// Both on one CPU: what the caller has of it, the other one lacks.
TEST(ThreadPoolTest, TellsWhatOtherWorkTookFromItsThreads) {
  constexpr std::int64_t kOtherWorkNs = 3'000'000;
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  int cpu = 0;
  while (!CPU_ISSET(cpu, &before)) ++cpu;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  ASSERT_EQ(sched_setaffinity(0, sizeof only, &only), 0);  // Threads inherit it.
  {
    const auto pool = MakePool(2);
    EXPECT_EQ(pool->LostNs(1), 0);
    std::int64_t caller_ns = 0;
    while (pool->LostNs(1) < kOtherWorkNs) {
      const ThreadPool::Awake awake(pool.get());
      // The other one must have begun, or it is asleep and lacks nothing.
      std::atomic<bool> began = false;
      pool->Run(2, [&](int i) {
        if (i == 1) began = true;
        while (!began) std::this_thread::yield();
      });
      const std::int64_t start_ns = ThreadCpuNs();
      while (ThreadCpuNs() < start_ns + kOtherWorkNs) {
      }
      caller_ns += kOtherWorkNs;
      ASSERT_LT(caller_ns, 1000 * kOtherWorkNs) << "it lost " << pool->LostNs(1) << " ns";
    }
  }
  EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

TEST(ThreadPoolTest, AllocatesNothingInARun) {
  const auto pool = MakePool(2);
  int sums[2] = {};
  ResetLargestAllocation();
  for (int inference = 0; inference < 10; ++inference) {
    const ThreadPool::Awake awake(pool.get());
    for (int job = 0; job < 10; ++job) pool->Run(2, [&sums](int i) { sums[i] += i; });
  }
  EXPECT_EQ(LargestAllocation(), 0U);
  EXPECT_EQ(sums[1], 100);
}

TEST(ThreadPoolTest, EndsWhileItsThreadsAreAwake) {
  for (int i = 0; i < 20; ++i) {
    const auto pool = MakePool(3);
    const ThreadPool::Awake awake(pool.get());
    pool->Run(3, [](int) {});
  }
}

TEST(ShareOfTest, SharesFollowEachOtherAndDifferByOneAtMost) {
  for (int num_parts = 1; num_parts <= 7; ++num_parts) {
    for (int count = 0; count <= 40; ++count) {
      int next = 0;
      for (int i = 0; i < num_parts; ++i) {
        const Share share = ShareOf(count, i, num_parts);
        EXPECT_EQ(share.begin, next);
        EXPECT_GE(share.end - share.begin, count / num_parts);
        EXPECT_LE(share.end - share.begin, (count + num_parts - 1) / num_parts);
        next = share.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(ShareOutTest, GivesNoThreadAnEmptyShare) {
  const auto pool = MakePool(3);
  for (int count = 1; count <= 5; ++count) {
    std::vector<int> threads(static_cast<std::size_t>(count), -1);
    const ThreadPool::Awake awake(pool.get());
    ShareOut(pool.get(), count, [&threads](int begin, int end, int thread) {
      ASSERT_LT(begin, end);
      for (int i = begin; i < end; ++i) threads[static_cast<std::size_t>(i)] = thread;
    });
    EXPECT_EQ(threads.front(), 0);
    EXPECT_EQ(threads.back(), std::min(count, 3) - 1);
    EXPECT_TRUE(std::is_sorted(threads.begin(), threads.end()));
  }
}

TEST(ShareOutTest, IsOneCallWithoutAPool) {
  int calls = 0;
  ShareOut(nullptr, 7, [&calls](int begin, int end, int thread) {
    ++calls;
    EXPECT_EQ(begin, 0);
    EXPECT_EQ(end, 7);
    EXPECT_EQ(thread, 0);
  });
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace bitpilot
