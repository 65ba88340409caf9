#include "device_daemon/energy/energy_recorder.h"

#include <chrono>
#include <utility>

#include "device_daemon/energy/poll_schedule.h"
#include "kernels/base/check.h"

namespace bitpilot {

EnergyRecorder::EnergyRecorder(std::unique_ptr<EnergySource> source, Open reopen)
    : info_(source->info()),
      source_(std::move(source)),
      reopen_(std::move(reopen)),
      thread_([this] { Run(); }) {}

EnergyRecorder::~EnergyRecorder() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void EnergyRecorder::Start(Started started) { Push({std::move(started), nullptr}); }

void EnergyRecorder::Finish(Finished finished) { Push({nullptr, std::move(finished)}); }

void EnergyRecorder::Push(Command command) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  changed_.notify_all();
}

std::optional<EnergyRecorder::Command> EnergyRecorder::Next(
    std::optional<std::int64_t> patience_ns) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return ending_ || !commands_.empty(); };
  if (patience_ns) {
    changed_.wait_for(lock, std::chrono::nanoseconds(*patience_ns), ready);
  } else {
    changed_.wait(lock, ready);
  }
  if (ending_ || commands_.empty()) return std::nullopt;
  Command command = std::move(commands_.front());
  commands_.pop_front();
  return command;
}

void EnergyRecorder::Run() {
  while (std::optional<Command> command = Next(std::nullopt)) {
    BITPILOT_CHECK(command->started);
    Status failure = Begin();
    command->started(failure);
    PollSchedule schedule(EnergyClockNs(), failure.ok() ? source_->poll_interval_ns() : 1);
    while (failure.ok()) {
      const std::int64_t now_ns = EnergyClockNs();
      command = Next(schedule.NextNs(now_ns) - now_ns);
      if (command || ending_) break;
      failure = source_->Poll(EnergyClockNs());
    }
    if (!failure.ok()) command = Next(std::nullopt);
    if (!command) return;
    BITPILOT_CHECK(command->finished);
    command->finished(End(failure));
  }
}

Status EnergyRecorder::Begin() {
  if (!source_) {
    Result<std::unique_ptr<EnergySource>> source = reopen_();
    if (!source.ok()) return source.status();
    source_ = std::move(*source);
  }
  return source_->Start(EnergyClockNs());
}

Result<EnergyTrace> EnergyRecorder::End(const Status& failure) {
  Result<EnergyTrace> trace =
      failure.ok() ? source_->Finish(EnergyClockNs()) : Result<EnergyTrace>(failure);
  if (!trace.ok()) source_.reset();
  return trace;
}

}  // namespace bitpilot
