// A daemon's core, and agents that share the board.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "tests/device_daemon/core_driver.h"

namespace bitpilot::daemon {

class DaemonQueueTest : public testing::Test {
 protected:
  // A session of the user with a lease PER_JOB.
  std::string Share(const std::string& user, int priority = 0) {
    const std::string session = driver_.SayHello(user);
    Message request = driver_.LeaseRequest(user, session);
    request.envelope.mutable_lease_request()->set_kind(v1::LeaseRequest::PER_JOB);
    request.envelope.mutable_lease_request()->set_priority(priority);
    const v1::Envelope reply = CoreDriver::OnlyReply(driver_.Deliver(user, std::move(request)));
    EXPECT_EQ(reply.lease_grant().kind(), v1::LeaseRequest::PER_JOB);
    epochs_[session] = reply.lease_grant().epoch();
    return session;
  }

  std::vector<Action> Measure(const std::string& user, const std::string& session, char id) {
    Message request = driver_.MeasureRequest(session, id);
    if (epochs_.contains(session)) request.envelope.set_lease_epoch(epochs_.at(session));
    return driver_.Deliver(user, std::move(request));
  }

  std::vector<Action> Reserve(const std::string& user, const std::string& session, bool wait,
                              int priority = 0) {
    Message request = driver_.LeaseRequest(user, session);
    request.envelope.mutable_lease_request()->set_wait(wait);
    request.envelope.mutable_lease_request()->set_priority(priority);
    return driver_.Deliver(user, std::move(request));
  }

  // The measure id of the job that starts among these actions; '-' if none does.
  static char Started(const std::vector<Action>& actions) {
    const auto started = CoreDriver::Of<StartJob>(actions);
    EXPECT_LE(started.size(), 1U);
    if (started.empty()) return '-';
    return started[0].request.envelope.measure_request().measure_id()[0];
  }

  // The running job's worker answers after `takes`; the next job that starts.
  char Finish(char id, Milliseconds takes = Milliseconds{600}) {
    driver_.now += takes;
    return Started(driver_.Step(WorkerAnswered{job_of_[id], CoreDriver::MeasureReply(id)}));
  }

  // As Measure(), and notes the job if it starts now or later.
  char Ask(const std::string& user, const std::string& session, char id) {
    job_of_[id] = next_job_++;
    return Started(Measure(user, session, id));
  }

  CoreDriver driver_;
  std::map<std::string, std::uint64_t> epochs_;
  std::map<char, JobId> job_of_;
  JobId next_job_ = 1;
};

}  // namespace bitpilot::daemon
