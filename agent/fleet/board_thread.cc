#include "agent/fleet/board_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStopPollInterval{100};
constexpr milliseconds kLongestWait{1000};

Instant Now() {
  return std::chrono::duration_cast<milliseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
}

Status StoppedStatus() { return {StatusCode::kAborted, "stopped while waiting for the board"}; }

}  // namespace

BoardThread::BoardThread(ClientOptions options, AgentKeys keys, Locate locate, Notice notice)
    : keys_(std::move(keys)),
      locate_(std::move(locate)),
      core_(std::move(options)),
      notice_(std::move(notice)),
      thread_([this] { Run(); }) {}

BoardThread::~BoardThread() {
  Post(CloseRequested{});
  thread_.join();
}

Result<BoardInfo> BoardThread::WaitUntilReady(const std::function<bool()>& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!WaitFor(
          lock, [this] { return ready_.has_value(); }, stop))
    return StoppedStatus();
  return *ready_;
}

JobId BoardThread::Submit(JobRequest request) {
  JobId id = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    id = ++last_id_;
    awaited_.insert(id);
  }
  request.id = id;
  Post(JobSubmitted{std::move(request)});
  return id;
}

Result<JobResult> BoardThread::Wait(JobId id, const std::function<bool()>& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  BITPILOT_CHECK(awaited_.contains(id));
  if (!WaitFor(
          lock, [this, id] { return finished_.contains(id); }, stop)) {
    lock.unlock();
    Cancel(id);
    return StoppedStatus();
  }
  awaited_.erase(id);
  return std::move(finished_.extract(id).mapped());
}

void BoardThread::Cancel(JobId id) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    awaited_.erase(id);
    finished_.erase(id);
  }
  Post(JobCancelled{id});
}

bool BoardThread::WaitFor(std::unique_lock<std::mutex>& lock, const std::function<bool()>& done,
                          const std::function<bool()>& stop) {
  for (;;) {
    const bool is_done = changed_.wait_for(lock, kStopPollInterval, done);
    const std::vector<std::string> notices = std::exchange(notices_, {});
    lock.unlock();
    for (const std::string& text : notices) {
      if (notice_) notice_(text);
    }
    const bool stopped = !is_done && stop && stop();
    lock.lock();
    if (is_done || stopped) return is_done;
  }
}

void BoardThread::Run() {
  Step(Started{});
  while (!closed_) {
    while (std::optional<Event> event = TakePosted()) Step(std::move(*event));
    while (std::optional<Event> event = link_.Next()) Step(std::move(*event));
    const std::optional<Instant> wakeup = core_.NextWakeup();
    const Instant now = Now();
    if (wakeup.has_value() && *wakeup <= now) {
      Step(TimePassed{});
    } else if (!closed_) {
      link_.Wait(wakeup.has_value() ? std::min(*wakeup - now, kLongestWait) : kLongestWait);
    }
  }
}

void BoardThread::Step(Event event) {
  for (Action& action : core_.Step(std::move(event), Now())) {
    std::visit([this](auto& a) { Do(a); }, action);
  }
}

void BoardThread::Post(Event event) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_.push_back(std::move(event));
  }
  link_.Wake();
}

std::optional<Event> BoardThread::TakePosted() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (posted_.empty()) return std::nullopt;
  Event event = std::move(posted_.front());
  posted_.pop_front();
  return event;
}

void BoardThread::Do(const OpenLink&) {
  Result<BoardAddress> address = locate_();
  Status status = address.ok() ? link_.Open(*address, keys_) : address.status();
  if (!status.ok()) Post(LinkImpossible{std::move(status)});
}

void BoardThread::Do(const BoardReady& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ready_ = action.info;
  changed_.notify_all();
}

void BoardThread::Do(const BoardFailed& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!ready_.has_value()) ready_ = action.status;
  changed_.notify_all();
}

void BoardThread::Do(BoardNotice& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  notices_.push_back(std::move(action.text));
}

void BoardThread::Do(JobFinished& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const JobId id = action.result.id;
  if (!awaited_.contains(id)) return;
  finished_.emplace(id, std::move(action.result));
  changed_.notify_all();
}

}  // namespace bitpilot
