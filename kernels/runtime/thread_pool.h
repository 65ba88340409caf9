// ThreadPool: a few threads that compute the parts of an inference side by side.
//
// They spin while an inference runs, so that a part begins within a fraction of a microsecond, and
// sleep between inferences. Who calls waits for no thread to wake up: a part that no other thread
// has begun when the caller is through with its own is the caller's. So a thread that sleeps, or
// whose CPU does other work, costs what it does not do, and no more; only a thread that loses its
// CPU within a part is waited for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// Refers to a function object that outlives it, of whatever type.
template <class... Args>
class CallableRef {
 public:
  template <class Function>
  CallableRef(const Function& function)  // NOLINT: stands for any of them
      : function_(&function),
        call_([](const void* of, Args... args) { (*static_cast<const Function*>(of))(args...); }) {}

  void operator()(Args... args) const { call_(function_, args...); }

 private:
  const void* function_;
  void (*call_)(const void* of, Args... args);
};

struct ThreadPoolOptions {
  int num_threads = 1;  // The caller of Run() is one of them. In [1, ThreadPool::kMaxThreads].
  // Runs on thread i, from 1 on, before Create() returns: to keep it on a CPU, for example. May be
  // empty.
  std::function<void(int i)> on_start = {};
  // False: the caller waits for every other thread to compute its part. For tests, in which the
  // threads are to meet; they must be awake.
  bool caller_helps = true;
};

// Not thread-safe: one thread calls, always the same or one after the other.
class ThreadPool {
 public:
  static constexpr int kMaxThreads = 64;

  // Starts num_threads - 1 threads.
  //
  // Errors: kResourceExhausted if the system refuses a thread.
  static Result<std::unique_ptr<ThreadPool>> Create(const ThreadPoolOptions& options);
  ~ThreadPool();

  int num_threads() const { return static_cast<int>(others_.size()) + 1; }

  // For how long, in nanoseconds, a thread that Create() started was awake without a CPU: what other
  // work on its CPU took.
  //
  // REQUIRES: thread in [1, num_threads()).
  std::int64_t LostNs(int thread) const;

  // While it lives, the pool's threads spin. One at a time; of a null pool, nothing.
  class Awake {
   public:
    explicit Awake(ThreadPool* pool) : pool_(pool) {
      if (pool_ != nullptr) pool_->WakeUp();
    }
    ~Awake() {
      if (pool_ != nullptr) pool_->LetSleep();
    }
    Awake(const Awake&) = delete;
    Awake& operator=(const Awake&) = delete;

   private:
    ThreadPool* pool_;
  };

  // Calls part(i) once for every i in [0, num_parts), on thread i or, if that one is late, on the
  // caller's, which is thread 0. Returns when all are done: what they wrote can then be read.
  // Allocates nothing.
  //
  // REQUIRES: num_parts <= num_threads(); parts do not call the pool.
  void Run(int num_parts, const CallableRef<int>& part);

 private:
  // A thread, and how far it is with the last job. Each on a cache line of its own.
  struct alignas(64) Other {
    // 2 n: this thread's part of job n is done, or it has none. 2 n - 1: whoever set it from 2 n - 2
    // computes that part.
    std::atomic<std::uint64_t> state = 0;
    std::atomic<std::int64_t> lost_ns = 0;
    std::thread thread;
  };

  enum Phase : int { kAsleep, kAwake, kEnding };

  explicit ThreadPool(bool caller_helps) : caller_helps_(caller_helps) {}
  void WakeUp();
  void LetSleep();
  // Computes the part of thread `index` unless somebody does.
  void TryPart(int index, std::uint64_t number);
  void Serve(int index);

  const bool caller_helps_;
  std::vector<std::unique_ptr<Other>> others_;  // From thread 1 on.
  // What a thread that spins looks at, and needs to begin.
  alignas(64) std::atomic<std::uint64_t> job_number_ = 0;
  std::atomic<int> phase_ = kAsleep;
  const CallableRef<int>* part_ = nullptr;
};

// Part of [0, count).
struct Share {
  int begin = 0;
  int end = 0;
};

// The share of part `index` of `num_parts`. They follow each other, and differ by one at most.
constexpr Share ShareOf(int count, int index, int num_parts) {
  const std::int64_t wide = count;
  return {static_cast<int>(wide * index / num_parts),
          static_cast<int>(wide * (index + 1) / num_parts)};
}

// Calls work(begin, end, thread) for shares of [0, count) on the pool's threads; for all of it at
// once, as thread 0, without a pool.
void ShareOut(ThreadPool* pool, int count, const CallableRef<int, int, int>& work);

}  // namespace bitpilot
