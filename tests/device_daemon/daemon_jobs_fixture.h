// A daemon's core with an agent that holds the lease.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "tests/device_daemon/core_driver.h"

namespace bitpilot::daemon {

class DaemonJobsTest : public testing::Test {
 protected:
  // Delivers a request that must start a job at once.
  JobId Start(Message request) {
    const auto started = CoreDriver::Of<StartJob>(driver_.Deliver(kAlice, std::move(request)));
    EXPECT_EQ(started.size(), 1U);
    return started.empty() ? 0 : started.front().job;
  }

  static v1::MeasureResult ResultIn(const std::vector<Action>& actions) {
    for (const Send& send : CoreDriver::Of<Send>(actions)) {
      if (send.message.envelope.has_measure_result()) {
        return send.message.envelope.measure_result();
      }
    }
    return {};
  }

  // The job advances all the time, with nothing new to say but `remaining`, and is stopped after
  // `limit` from now, to ten seconds.
  void ExpectStoppedAfter(JobId job, Milliseconds limit, Milliseconds remaining) {
    const Milliseconds end = driver_.now + limit;
    while (driver_.now + Milliseconds{10'000} < end) {
      driver_.now += Milliseconds{9'000};
      driver_.Step(WorkerProgressed{job, "timing", 1, remaining});
      ASSERT_TRUE(CoreDriver::Of<StopJob>(driver_.Step(TimePassed{})).empty());
    }
    driver_.Step(WorkerProgressed{job, "timing", 1, remaining});
    driver_.now = end;
    EXPECT_EQ(CoreDriver::Of<StopJob>(driver_.Step(TimePassed{})).size(), 1U);
  }

  CoreDriver driver_;
  const std::string alice_ = driver_.Connect(kAlice);
};

}  // namespace bitpilot::daemon
