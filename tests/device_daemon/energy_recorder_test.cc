#include "device_daemon/energy/energy_recorder.h"

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "device_daemon/energy/poll_schedule.h"

namespace bitpilot {
namespace {

using ::testing::HasSubstr;

// Fails at the `fails_at`-th look; 0: never.
class ScriptedSource : public PolledSource {
 public:
  explicit ScriptedSource(int fails_at)
      : PolledSource({.name = "scripted",
                      .scope = "a test",
                      .sensor = EnergySensor::kSensorOnboard,
                      .quantity = EnergyQuantity::kPowerW,
                      .period_ns = 100'000,
                      .relative_accuracy = 0.0,
                      .max_power_w = 10.0}),
        fails_at_(fails_at) {}

  std::future<void> LookedThreeTimes() { return looked_.get_future(); }

 protected:
  Result<double> Read() override {
    ++looks_;
    if (looks_ == 3) looked_.set_value();
    if (looks_ == fails_at_) return Status(StatusCode::kUnavailable, "the sensor went away");
    return 2.0;
  }

 private:
  int fails_at_;
  int looks_ = 0;
  std::promise<void> looked_;
};

Status StartAndWait(EnergyRecorder& recorder) {
  std::promise<Status> promise;
  recorder.Start([&](Status status) { promise.set_value(std::move(status)); });
  return promise.get_future().get();
}

Result<EnergyTrace> FinishAndWait(EnergyRecorder& recorder) {
  std::promise<Result<EnergyTrace>> promise;
  recorder.Finish([&](Result<EnergyTrace> trace) { promise.set_value(std::move(trace)); });
  return promise.get_future().get();
}

Result<std::unique_ptr<EnergySource>> NoOther() {
  return Status(StatusCode::kNotFound, "there is no other");
}

// Each look takes 0.3 intervals, and waking up another 0.1: after 1000 looks nothing has added up.
TEST(PollScheduleTest, DoesNotDriftWhateverALookTakes) {
  PollSchedule schedule(/*start_ns=*/500, /*interval_ns=*/100);
  std::int64_t now_ns = 500;
  for (std::int64_t look = 1; look <= 1000; ++look) {
    const std::int64_t due_ns = schedule.NextNs(now_ns);
    EXPECT_EQ(due_ns, 500 + 100 * look);
    now_ns = due_ns + 10 + 30;
  }
}

TEST(PollScheduleTest, LeavesOutWhatItMissedAndKeepsItsMoments) {
  PollSchedule schedule(0, 100);
  EXPECT_EQ(schedule.NextNs(0), 100);
  EXPECT_EQ(schedule.NextNs(450), 500) << "a look that took 3.5 intervals";
  EXPECT_EQ(schedule.NextNs(499), 600) << "woken up too early: that look was the one at 500";
  EXPECT_EQ(schedule.NextNs(700), 800);
}

TEST(EnergyRecorderTest, RecordsUntilItIsFinishedAndAgain) {
  auto source = std::make_unique<ScriptedSource>(0);
  std::future<void> looked = source->LookedThreeTimes();
  EnergyRecorder recorder(std::move(source), NoOther);
  EXPECT_EQ(recorder.info().name, "scripted");
  const std::int64_t begin_ns = EnergyClockNs();
  ASSERT_TRUE(StartAndWait(recorder).ok());
  looked.get();
  const Result<EnergyTrace> trace = FinishAndWait(recorder);
  ASSERT_TRUE(trace.ok()) << trace.status().message();
  ASSERT_GE(trace->samples.size(), 3U);
  EXPECT_GE(trace->samples.front().time_ns, begin_ns);
  EXPECT_LE(trace->samples.back().time_ns, EnergyClockNs());
  ASSERT_TRUE(StartAndWait(recorder).ok());
  EXPECT_TRUE(FinishAndWait(recorder).ok());
}

TEST(EnergyRecorderTest, ReportsASourceThatWentAwayAndMakesItAgain) {
  auto source = std::make_unique<ScriptedSource>(3);
  std::future<void> looked = source->LookedThreeTimes();
  int made = 0;
  EnergyRecorder recorder(std::move(source), [&]() -> Result<std::unique_ptr<EnergySource>> {
    if (++made == 1) return Status(StatusCode::kNotFound, "unplugged");
    return std::unique_ptr<EnergySource>(std::make_unique<ScriptedSource>(0));
  });
  ASSERT_TRUE(StartAndWait(recorder).ok());
  looked.get();
  EXPECT_THAT(FinishAndWait(recorder).status().message(), HasSubstr("the sensor went away"));
  EXPECT_THAT(StartAndWait(recorder).message(), HasSubstr("unplugged"));
  EXPECT_EQ(FinishAndWait(recorder).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(StartAndWait(recorder).ok());
  EXPECT_TRUE(FinishAndWait(recorder).ok());
}

TEST(EnergyRecorderTest, EndsWhileARecordingRuns) {
  std::future<void> looked;
  {
    auto source = std::make_unique<ScriptedSource>(0);
    looked = source->LookedThreeTimes();
    EnergyRecorder recorder(std::move(source), NoOther);
    ASSERT_TRUE(StartAndWait(recorder).ok());
    looked.get();
  }
}

}  // namespace
}  // namespace bitpilot
