// Histories of a DaemonCore, with the invariants that none may break.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "tests/device_daemon/core_driver.h"

namespace bitpilot::daemon {

// Two agents that do anything at any time, a store that fails at times, and a worker that answers,
// fails, lies or is silent.
class DaemonHistory {
 public:
  // A number below `limit`, which is not 0.
  using Pick = std::function<std::uint32_t(std::uint32_t limit)>;

  explicit DaemonHistory(Pick pick) : pick_(std::move(pick)) {
    for (const char* user : {kAlice, kBob}) sessions_.push_back(driver_.SayHello(user));
  }

  void Run(int num_events) {
    for (int i = 0; i < num_events; ++i) {
      driver_.now += Milliseconds{Choose(3) == 0 ? Choose(20'000) : Choose(50)};
      const Event event = NextEvent();
      NoteWorkerEnd(event);
      Check(driver_.core.Step(event, driver_.now));
    }
  }

  // Which invariants were broken, in order.
  const std::vector<std::string>& violations() const { return violations_; }
  int jobs_started() const { return static_cast<int>(started_jobs_.size()); }

 private:
  std::uint32_t Choose(std::uint32_t limit) { return pick_(limit); }
  void Expect(bool holds, const char* invariant) {
    if (!holds) violations_.emplace_back(invariant);
  }

  Event NextEvent() {
    if (epoch_to_store_ != 0) {
      const std::uint64_t epoch = std::exchange(epoch_to_store_, 0);
      return EpochStored{
          epoch, Choose(5) == 0 ? Status(StatusCode::kResourceExhausted, "full") : Status()};
    }
    switch (Choose(8)) {
      case 0:
        return TimePassed{};
      case 1:
        return WorkerEvent();
      case 2:
        return WorkerProgressed{running_.value_or(Choose(9)), "timing", Choose(99)};
      default:
        return AgentMessage();
    }
  }

  Event WorkerEvent() {
    const JobId job = running_.value_or(Choose(9));
    if (Choose(3) == 0) return WorkerFailed{job, v1::CRASH, "gone"};
    return WorkerAnswered{job, CoreDriver::MeasureReply(static_cast<char>('a' + Choose(6)))};
  }

  Event AgentMessage() {
    const std::uint32_t agent = Choose(2);
    const std::string user = agent == 0 ? kAlice : kBob;
    Message message = driver_.Request(sessions_[Choose(8) == 0 ? 1 - agent : agent]);
    message.envelope.set_lease_epoch(Choose(8) == 0 ? Choose(5) : epoch_);
    if (Choose(8) == 0) message.envelope.set_request_id(Choose(100));
    if (Choose(8) == 0) message.envelope.set_deadline_ms(Choose(3'000));
    FillBody(message);
    return MessageReceived{{"route-" + user, user}, std::move(message), {}};
  }

  void FillBody(Message& message) {
    const std::string& session = message.envelope.session_id();
    const char id = static_cast<char>('a' + Choose(6));
    switch (Choose(8)) {
      case 0:
      case 1:
        message.envelope.mutable_lease_request()->set_ttl_ms(Choose(40'000));
        break;
      case 2:
        message.envelope.mutable_lease_release();
        break;
      case 3:
        message.envelope.mutable_measure_cancel()->set_measure_id(std::string(kMeasureIdBytes, id));
        break;
      case 4:
        message.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, id));
        break;
      case 5:
        message.envelope.mutable_infer_request();
        break;
      default:
        *message.envelope.mutable_measure_request() =
            driver_.MeasureRequest(session, id).envelope.measure_request();
    }
  }

  void Check(const std::vector<Action>& actions) {
    for (const Action& action : actions) {
      if (const auto* store = std::get_if<StoreEpoch>(&action)) {
        Expect(store->epoch > epoch_, "epochs only grow");
        epoch_to_store_ = store->epoch;
      } else if (const auto* start = std::get_if<StartJob>(&action)) {
        Expect(!running_, "one job at a time");
        running_ = start->job;
        Expect(started_jobs_.insert(start->job).second, "a job starts once");
      } else if (const auto* send = std::get_if<Send>(&action)) {
        CheckSent(send->message);
      }
    }
  }

  void CheckSent(const Message& message) {
    Expect(EncodeMessage(message).size() <= 3, "a message has at most three frames");
    if (message.envelope.has_lease_grant()) epoch_ = message.envelope.lease_grant().epoch();
    if (message.envelope.has_measure_result() || message.envelope.has_infer_result()) {
      Expect(ValidateReply(message).ok(), "results are valid");
    }
  }

  // The core never starts a job before it learned the end of the one before.
  void NoteWorkerEnd(const Event& event) {
    const auto ends = [&](JobId job) {
      if (running_ == job) running_.reset();
    };
    if (const auto* answered = std::get_if<WorkerAnswered>(&event)) ends(answered->job);
    if (const auto* failed = std::get_if<WorkerFailed>(&event)) ends(failed->job);
  }

  const Pick pick_;
  CoreDriver driver_;
  std::vector<std::string> sessions_;
  std::uint64_t epoch_ = 0;
  std::uint64_t epoch_to_store_ = 0;
  std::optional<JobId> running_;
  std::set<JobId> started_jobs_;
  std::vector<std::string> violations_;
};

}  // namespace bitpilot::daemon
