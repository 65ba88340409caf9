// A slow worker and the daemon's limits, on one simulated clock: what the sampler foretells must keep
// DaemonCore from stopping it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/core/daemon_core.h"
#include "device_daemon/measurement/job_forecast.h"
#include "device_daemon/measurement/latency_sampler.h"
#include "device_daemon/worker/progress_report.h"
#include "tests/device_daemon/core_driver.h"
#include "tests/device_daemon/simulated_clock.h"

namespace bitpilot {
namespace {

using daemon::CoreDriver;
using daemon::Milliseconds;

class SlowNetworkTest : public testing::Test {
 protected:
  // Measures networks that take `inference_ns` as the worker does, with the daemon looking at its
  // clock whenever it would. Returns when the daemon stopped it, in seconds; nothing if it did not.
  std::optional<double> StoppedAfter(const std::vector<double>& inference_ns,
                                     const v1::MeasureSpec& spec) {
    Message request = driver_.MeasureRequest(session_, 'm');
    v1::MeasureRequest& measure = *request.envelope.mutable_measure_request();
    *measure.mutable_spec() = spec;
    measure.clear_network_sha256();
    measure.clear_golden_logits();
    for (std::size_t i = 0; i < inference_ns.size(); ++i) {
      measure.add_network_sha256(std::string(kSha256Bytes, static_cast<char>('a' + i)));
      measure.add_golden_logits("1234");
    }
    job_ = CoreDriver::Of<daemon::StartJob>(driver_.Deliver(daemon::kAlice, request)).front().job;
    start_ = driver_.now;
    clock_ = SimulatedClock();
    stopped_after_s_.reset();
    // The first inferences, before the sampler begins, told how slow the networks are.
    JobForecast forecast(PlanFor(spec), inference_ns.size());
    for (std::size_t i = 0; i < inference_ns.size(); ++i) {
      forecast.SetInference(i, inference_ns[i]);
    }
    report_.Begin(measure.measure_id());
    report_.Add({"output check", 0, forecast.RemainingNs(0, 0), forecast.SilenceNs()});
    std::vector<std::function<void()>> workloads;
    for (const double ns : inference_ns) workloads.emplace_back([this, ns] { Spend(ns); });
    EXPECT_TRUE(SampleLatency(workloads, PlanFor(spec), clock_, [this](const Progress& now) {
                  report_.Add(now);
                }).ok());
    return stopped_after_s_;
  }

  // Time passes for the worker, and the daemon's timers run at each second of it.
  void Spend(double ns) {
    for (double left_ns = ns; left_ns > 0.0; left_ns -= 1e9) {
      clock_.Pass(std::min(left_ns, 1e9));
      SeeTime();
    }
  }

  void SeeTime() {
    driver_.now = start_ + Milliseconds{static_cast<std::int64_t>(clock_.seconds() * 1e3)};
    const bool stops = !CoreDriver::Of<daemon::StopJob>(driver_.Step(daemon::TimePassed{})).empty();
    if (stops && !stopped_after_s_) stopped_after_s_ = clock_.seconds();
  }

  static v1::MeasureSpec Audit(bool extended) {
    v1::MeasureSpec spec;
    spec.set_tier(v1::MeasureSpec::AUDIT);
    spec.set_extended(extended);
    return spec;
  }

  SimulatedClock clock_;
  CoreDriver driver_;
  const std::string session_ = driver_.Connect(daemon::kAlice);
  daemon::JobId job_ = 0;
  Milliseconds start_{0};
  std::optional<double> stopped_after_s_;
  ProgressReport report_{clock_, [this](const v1::MeasureProgress& progress) {
                           driver_.Step(daemon::WorkerProgressed{
                               job_, progress.phase(), progress.windows_done(),
                               Milliseconds{static_cast<std::int64_t>(progress.remaining_ms())},
                               Milliseconds{static_cast<std::int64_t>(progress.silence_ms())}});
                         }};
};

// The end of a search on a slow board.
TEST_F(SlowNetworkTest, ElevenNetworksOfHalfASecondAreAudited) {
  for (const bool extended : {false, true}) {
    SCOPED_TRACE(extended);
    const std::optional<double> stopped =
        StoppedAfter(std::vector<double>(11, 0.45e9), Audit(extended));
    EXPECT_FALSE(stopped) << "after " << stopped.value_or(0.0) << " s";
    driver_.Step(daemon::WorkerAnswered{job_, CoreDriver::MeasureReply('m')});
    Message ack = driver_.Request(session_);
    ack.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, 'm'));
    driver_.Deliver(daemon::kAlice, ack);
  }
}

TEST_F(SlowNetworkTest, NetworksOfAMinuteAnInferenceAreAudited) {
  const std::optional<double> stopped = StoppedAfter({60e9, 60e9, 60e9}, Audit(false));
  EXPECT_FALSE(stopped) << "after " << stopped.value_or(0.0) << " s";
}

}  // namespace
}  // namespace bitpilot
