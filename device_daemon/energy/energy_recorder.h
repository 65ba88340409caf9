// EnergyRecorder: reads one energy source on a thread of the daemon's process.
//
// Networks run in the worker process, pinned to the last CPU: reading in the daemon leaves that CPU
// alone, survives a network that crashes, and keeps an instrument open between measurements. Only
// while an energy phase runs does the thread wake up; latencies are measured without it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "device_daemon/energy/energy_clock.h"
#include "device_daemon/energy/energy_source.h"
#include "kernels/base/status.h"

namespace bitpilot {

class EnergyRecorder {
 public:
  // Makes the source again after it failed.
  using Open = std::function<Result<std::unique_ptr<EnergySource>>()>;
  using Started = std::function<void(Status)>;
  using Finished = std::function<void(Result<EnergyTrace>)>;

  EnergyRecorder(std::unique_ptr<EnergySource> source, Open reopen);
  // Waits for what the thread is doing, some seconds at most.
  ~EnergyRecorder();
  EnergyRecorder(const EnergyRecorder&) = delete;
  EnergyRecorder& operator=(const EnergyRecorder&) = delete;

  // Begins a recording; `started` hears whether the source is there. Both functions return at once,
  // and are carried out in the order in which they were called; what they are given is called on
  // the recorder's thread.
  //
  // REQUIRES: Finish() was called since the last Start().
  void Start(Started started);

  // Ends the recording. `finished` gets the trace, or the first error since Start(). A source that
  // failed is made again for the next recording.
  //
  // REQUIRES: Start() was called since the last Finish().
  void Finish(Finished finished);

  // Of the source that was given; valid also while it is being made again.
  const EnergySourceInfo& info() const { return info_; }

 private:
  // One of both is set.
  struct Command {
    Started started;
    Finished finished;
  };

  void Push(Command command);
  // The next command, or nothing if the recorder ends or none came for `patience_ns`.
  std::optional<Command> Next(std::optional<std::int64_t> patience_ns);
  void Run();
  Status Begin();
  Result<EnergyTrace> End(const Status& failure);

  const EnergySourceInfo info_;
  std::unique_ptr<EnergySource> source_;  // Null after a failure.
  const Open reopen_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Command> commands_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;  // The last member: it uses all others.
};

}  // namespace bitpilot
