#include "kernels/runtime/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/cpu/thread_cpu_time.h"
#include "kernels/cpu/wall_time.h"

namespace bitpilot {
namespace {

// Then a thread that spins lets others have its CPU, if there are any: where the threads share one,
// the others could not go on. 5 to 50 microseconds.
constexpr int kSpinsBetweenYields = 1024;

// What a thread has lost until it has started.
constexpr std::int64_t kNotStarted = -1;

class Spinner {
 public:
  // Returns whether others could have the CPU.
  bool Spin() {
    if (++spins_ % kSpinsBetweenYields == 0) {
      sched_yield();
      return true;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
    return false;
  }

 private:
  int spins_ = 0;
};

// How long the calling thread had no CPU, although it wanted it.
class LostTime {
 public:
  // Since the last call, or the construction.
  std::int64_t TakeNs() {
    const std::int64_t wall_ns = WallNs();
    const std::int64_t cpu_ns = ThreadCpuNs();
    const std::int64_t lost_ns = (wall_ns - wall_ns_) - (cpu_ns - cpu_ns_);
    wall_ns_ = wall_ns;
    cpu_ns_ = cpu_ns;
    return std::max<std::int64_t>(0, lost_ns);
  }

 private:
  std::int64_t wall_ns_ = WallNs();
  std::int64_t cpu_ns_ = ThreadCpuNs();
};

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::Create(const ThreadPoolOptions& options) {
  const int num_threads = options.num_threads;
  BITPILOT_CHECK(num_threads >= 1 && num_threads <= kMaxThreads);
  std::unique_ptr<ThreadPool> pool(new ThreadPool(options.caller_helps));
  for (int i = 1; i < num_threads; ++i) pool->others_.push_back(std::make_unique<Other>());
  const auto other = [&pool](int i) -> Other& {
    return *pool->others_[static_cast<std::size_t>(i - 1)];
  };
  const auto await_started = [&other](int end) {
    for (int i = 1; i < end; ++i) {
      while (other(i).lost_ns.load(std::memory_order_acquire) == kNotStarted) sched_yield();
    }
  };
  for (int i = 1; i < num_threads; ++i) {
    other(i).lost_ns = kNotStarted;
    try {
      other(i).thread = std::thread([pool = pool.get(), i, &options, &lost_ns = other(i).lost_ns] {
        if (options.on_start) options.on_start(i);
        lost_ns.store(0, std::memory_order_release);
        pool->Serve(i);
      });
    } catch (const std::system_error& error) {
      await_started(i);  // They refer to the options.
      return Status(StatusCode::kResourceExhausted,
                    "the system refuses thread " + std::to_string(i + 1) + " of " +
                        std::to_string(num_threads) + ": " + error.what());
    }
  }
  await_started(num_threads);
  return pool;
}

ThreadPool::~ThreadPool() {
  phase_.store(kEnding, std::memory_order_release);
  phase_.notify_all();
  for (const auto& other : others_) {
    if (other->thread.joinable()) other->thread.join();
  }
}

std::int64_t ThreadPool::LostNs(int thread) const {
  return others_[static_cast<std::size_t>(thread - 1)]->lost_ns.load(std::memory_order_relaxed);
}

void ThreadPool::WakeUp() {
  phase_.store(kAwake, std::memory_order_release);
  phase_.notify_all();
}

void ThreadPool::LetSleep() { phase_.store(kAsleep, std::memory_order_release); }

void ThreadPool::Run(int num_parts, const CallableRef<int>& part) {
  BITPILOT_CHECK(num_parts >= 1 && num_parts <= num_threads());
  if (num_parts == 1) {
    part(0);
    return;
  }
  const std::uint64_t number = job_number_.load(std::memory_order_relaxed) + 1;
  part_ = &part;
  // The others have no part of it. Nobody else writes there before the job has its number.
  for (int i = num_parts; i < num_threads(); ++i) {
    others_[static_cast<std::size_t>(i - 1)]->state.store(2 * number, std::memory_order_relaxed);
  }
  job_number_.store(number, std::memory_order_release);
  part(0);
  for (int i = 1; caller_helps_ && i < num_parts; ++i) TryPart(i, number);
  for (int i = 1; i < num_parts; ++i) {
    const std::atomic<std::uint64_t>& state = others_[static_cast<std::size_t>(i - 1)]->state;
    for (Spinner spinner; state.load(std::memory_order_acquire) != 2 * number;) spinner.Spin();
  }
}

void ThreadPool::TryPart(int index, std::uint64_t number) {
  std::atomic<std::uint64_t>& state = others_[static_cast<std::size_t>(index - 1)]->state;
  std::uint64_t free = 2 * number - 2;
  // Looks first: who fails would take the cache line from the one who writes to it.
  if (state.load(std::memory_order_relaxed) != free ||
      !state.compare_exchange_strong(free, 2 * number - 1, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
    return;
  }
  // The job is this one until its part is done.
  (*part_)(index);
  state.store(2 * number, std::memory_order_release);
}

void ThreadPool::Serve(int index) {
  std::atomic<std::int64_t>& lost_ns = others_[static_cast<std::size_t>(index - 1)]->lost_ns;
  std::uint64_t seen = 0;
  for (;;) {
    phase_.wait(kAsleep, std::memory_order_acquire);
    LostTime lost;
    for (Spinner spinner;;) {
      const int phase = phase_.load(std::memory_order_acquire);
      if (phase == kEnding) return;
      if (phase == kAsleep) break;
      const std::uint64_t number = job_number_.load(std::memory_order_acquire);
      if (number != seen) {
        seen = number;
        TryPart(index, number);
      } else if (spinner.Spin()) {
        lost_ns.fetch_add(lost.TakeNs(), std::memory_order_relaxed);
      }
    }
    lost_ns.fetch_add(lost.TakeNs(), std::memory_order_relaxed);
  }
}

void ShareOut(ThreadPool* pool, int count, const CallableRef<int, int, int>& work) {
  const int num_parts = pool == nullptr ? 1 : std::min(count, pool->num_threads());
  if (num_parts <= 1) {
    work(0, count, 0);
    return;
  }
  pool->Run(num_parts, [&work, count, num_parts](int i) {
    const Share share = ShareOf(count, i, num_parts);
    work(share.begin, share.end, i);
  });
}

}  // namespace bitpilot
