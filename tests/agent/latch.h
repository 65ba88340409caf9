// Something that threads wait at until a test opens it.
#pragma once

#include <condition_variable>
#include <mutex>

namespace bitpilot {

class Latch {
 public:
  void Open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    opened_.wait(lock, [this] { return is_open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

// Opens one when a test ends, however it does: what waits there would not end.
class OpensAtEnd {
 public:
  explicit OpensAtEnd(Latch& latch) : latch_(latch) {}
  ~OpensAtEnd() { latch_.Open(); }
  OpensAtEnd(const OpensAtEnd&) = delete;
  OpensAtEnd& operator=(const OpensAtEnd&) = delete;

 private:
  Latch& latch_;
};

}  // namespace bitpilot
