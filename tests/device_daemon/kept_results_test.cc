// Results that no agent has acknowledged: the bookkeeping, and what the core does with them.
#include "device_daemon/core/kept_results.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "tests/device_daemon/daemon_jobs_fixture.h"

namespace bitpilot::daemon {
namespace {

std::string IdOf(int number) {
  std::string id = std::to_string(number);
  id.resize(kMeasureIdBytes, '.');
  return id;
}

v1::KeptResult KeptOf(const std::string& measure_id, const std::string& user_id = kAlice) {
  v1::KeptResult kept;
  kept.set_user_id(user_id);
  kept.set_measured_by("this board");
  kept.mutable_result()->set_measure_id(measure_id);
  return kept;
}

TEST(KeptResultsTest, LetsTheOldestMakeRoom) {
  KeptResults results;
  for (int i = 0; i <= static_cast<int>(KeptResults::kMaxResults); ++i) {
    results.Add(KeptOf(IdOf(i)), "", Milliseconds{0});
  }
  EXPECT_EQ(results.size(), KeptResults::kMaxResults);
  EXPECT_EQ(results.Find(IdOf(0)), nullptr);
  EXPECT_NE(results.Find(IdOf(1)), nullptr);
  EXPECT_TRUE(results.TakeDroppedFromDisk().empty());  // It never was there.
}

TEST(KeptResultsTest, BoundsTheBytesOfAllResults) {
  KeptResults results;
  const std::string detail(KeptResults::kMaxBytes / 4, 'x');
  for (int i = 0; i < 6; ++i) {
    v1::KeptResult kept = KeptOf(IdOf(i));
    kept.mutable_result()->set_detail(detail);
    results.Add(std::move(kept), "", Milliseconds{0});
  }
  EXPECT_EQ(results.size(), 3U);
  EXPECT_NE(results.Find(IdOf(5)), nullptr);
}

TEST(KeptResultsTest, StoresWhatIsNotAcknowledgedSoonOnce) {
  KeptResults results;
  results.Add(KeptOf(IdOf(1)), "", Milliseconds{0});
  results.Add(KeptOf(IdOf(2)), "", Milliseconds{0});
  results.Forget(IdOf(1), kAlice);
  EXPECT_TRUE(results.TakeDueToStore(Milliseconds{499}).empty());
  EXPECT_EQ(results.TakeDueToStore(Milliseconds{500}), std::vector<std::string>{IdOf(2)});
  EXPECT_TRUE(results.TakeDueToStore(Milliseconds{900}).empty());
  results.Forget(IdOf(2), kBob);  // Not his.
  EXPECT_TRUE(results.TakeDroppedFromDisk().empty());
  results.Forget(IdOf(2), kAlice);
  EXPECT_EQ(results.TakeDroppedFromDisk(), std::vector<std::string>{IdOf(2)});
}

TEST(KeptResultsTest, SendsAgainAtMostSixtyTimes) {
  KeptResults results;
  results.Add(KeptOf(IdOf(1)), "", Milliseconds{0});
  int sent = 0;
  for (Milliseconds now{0}; now < Milliseconds{200'000}; now += KeptResults::kResendPause) {
    sent += static_cast<int>(results.TakeDueToSend(now).size());
    results.NoteNotSent(IdOf(1), now);
  }
  EXPECT_EQ(sent, KeptResults::kMaxResends);
}

TEST(KeptResultsTest, DropsWhatNobodyFetchedForADay) {
  KeptResults results;
  results.Load(KeptOf(IdOf(1)), "this board", Milliseconds{0});
  EXPECT_EQ(results.NextDeadline(/*may_store=*/true), Milliseconds{86'400'000});
  results.Expire(Milliseconds{86'399'999});
  EXPECT_EQ(results.size(), 1U);
  results.Expire(Milliseconds{86'400'000});
  EXPECT_EQ(results.size(), 0U);
  EXPECT_EQ(results.TakeDroppedFromDisk(), std::vector<std::string>{IdOf(1)});
}

TEST_F(DaemonJobsTest, WritesAResultThatIsNotAcknowledgedToTheDisk) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  const auto done = driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m', 5'000.0)});
  EXPECT_TRUE(CoreDriver::Of<StoreResult>(done).empty());
  EXPECT_EQ(driver_.core.NextDeadline(), driver_.now + KeptResults::kStoreDelay);
  const auto stored = CoreDriver::Of<StoreResult>(driver_.PassTime(KeptResults::kStoreDelay));
  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].kept.user_id(), kAlice);
  EXPECT_DOUBLE_EQ(stored[0].kept.result().networks(0).latency_median_ns(), 5'000.0);
  Message ack = driver_.Request(alice_);
  ack.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, 'm'));
  EXPECT_EQ(CoreDriver::Of<DropResult>(driver_.Deliver(kAlice, ack)).size(), 1U);
}

// A flush of the disk in the middle of a measurement would be measured.
TEST_F(DaemonJobsTest, LeavesTheDiskAloneWhileItMeasures) {
  const auto disk = [](const std::vector<Action>& actions) {
    return CoreDriver::Of<StoreResult>(actions).size() + CoreDriver::Of<DropResult>(actions).size();
  };
  const auto acknowledge = [&](char id) {
    Message ack = driver_.Request(alice_);
    ack.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, id));
    return driver_.Deliver(kAlice, ack);
  };
  JobId job = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('a')});
  EXPECT_EQ(disk(driver_.PassTime(KeptResults::kStoreDelay)), 1U);
  job = Start(driver_.MeasureRequest(alice_, 'b'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('b')});
  job = Start(driver_.MeasureRequest(alice_, 'c'));
  EXPECT_EQ(disk(driver_.PassTime(KeptResults::kStoreDelay)), 0U);  // 'b' is due,
  EXPECT_EQ(disk(acknowledge('a')), 0U);                            // and 'a' is to go.
  // Nothing to wake up for but the job.
  EXPECT_GT(*driver_.core.NextDeadline(), driver_.now);
  const auto done = driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('c')});
  ASSERT_EQ(CoreDriver::Of<StoreResult>(done).size(), 1U);
  EXPECT_EQ(CoreDriver::Of<StoreResult>(done)[0].measure_id, std::string(kMeasureIdBytes, 'b'));
  EXPECT_EQ(CoreDriver::Of<DropResult>(done).size(), 1U);
}

// Where one measurement follows the other without a pause, the disk's turn is between them.
TEST_F(DaemonJobsTest, StoresResultsBeforeTheNextMeasurementThatWaits) {
  JobId job = Start(driver_.MeasureRequest(alice_, 'a'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('a')});
  job = Start(driver_.MeasureRequest(alice_, 'b'));
  driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'c'));  // Waits.
  EXPECT_TRUE(CoreDriver::Of<StoreResult>(driver_.PassTime(KeptResults::kStoreDelay)).empty());
  const auto next = driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('b')});
  const auto position = [&](auto is) {
    return std::find_if(next.begin(), next.end(), is) - next.begin();
  };
  const auto stored =
      position([](const Action& one) { return std::holds_alternative<StoreResult>(one); });
  const auto begun =
      position([](const Action& one) { return std::holds_alternative<StartJob>(one); });
  EXPECT_LT(stored, begun);
  EXPECT_LT(begun, static_cast<std::ptrdiff_t>(next.size()));
}

// The daemon was killed after the measurement: its next run answers from the disk, without a lease.
TEST_F(DaemonJobsTest, F6AnswersWithAResultOfAnEarlierRunUntilItIsAcknowledged) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m', 5'000.0)});
  CoreConfig config = CoreDriver::MakeConfig(/*last_epoch=*/7);
  config.kept_results.push_back(
      CoreDriver::Of<StoreResult>(driver_.PassTime(KeptResults::kStoreDelay)).at(0).kept);
  driver_.core = DaemonCore(std::move(config));
  const std::string alice = driver_.SayHello(kAlice);
  const auto asked = driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'm'));
  EXPECT_TRUE(CoreDriver::Of<StartJob>(asked).empty());
  EXPECT_DOUBLE_EQ(ResultIn(asked).networks(0).latency_median_ns(), 5'000.0);
  Message ack = driver_.Request(alice);
  ack.envelope.mutable_result_ack()->set_measure_id(std::string(kMeasureIdBytes, 'm'));
  EXPECT_EQ(CoreDriver::Of<DropResult>(driver_.Deliver(kAlice, ack)).size(), 1U);
  EXPECT_EQ(CoreDriver::ErrorOf(driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'm'))),
            StatusCode::kAborted);
}

// It would be recorded as one of the board that tells of itself now.
TEST_F(DaemonJobsTest, DropsAResultOfAnEarlierRunThatADifferentBoardGave) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')});
  const v1::KeptResult kept =
      CoreDriver::Of<StoreResult>(driver_.PassTime(KeptResults::kStoreDelay)).at(0).kept;
  using Capabilities = v1::DeviceCapabilities;
  const std::vector<void (*)(Capabilities&)> changes = {
      [](Capabilities& board) { board.set_kernel_build("the next one"); },
      [](Capabilities& board) { board.set_daemon_build("the next one"); },
      [](Capabilities& board) { board.set_governor("another"); },
      [](Capabilities& board) { board.set_os("another"); },
      [](Capabilities& board) { board.set_cpu_count(board.cpu_count() + 1); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    SCOPED_TRACE(i);
    CoreConfig config = CoreDriver::MakeConfig(/*last_epoch=*/7);
    changes[i](config.capabilities);
    config.kept_results.push_back(kept);
    driver_.core = DaemonCore(std::move(config));
    const auto begun = driver_.Step(TimePassed{});
    ASSERT_EQ(CoreDriver::Of<DropResult>(begun).size(), 1U) << "on the disk, too";
    EXPECT_EQ(CoreDriver::Of<DropResult>(begun)[0].measure_id, std::string(kMeasureIdBytes, 'm'));
    const std::string alice = driver_.Connect(kAlice);
    const auto asked = driver_.Deliver(kAlice, driver_.MeasureRequest(alice, 'm'));
    EXPECT_EQ(CoreDriver::Of<StartJob>(asked).size(), 1U) << "it is measured anew";
  }
}

TEST(KeptResultsTest, DropsWhatDoesNotSayWhoMeasured) {
  KeptResults results;
  EXPECT_TRUE(results.Load(KeptOf(IdOf(1)), "this board", Milliseconds{0}));
  v1::KeptResult other = KeptOf(IdOf(2));
  other.set_measured_by("another board");
  EXPECT_FALSE(results.Load(std::move(other), "this board", Milliseconds{0}));
  v1::KeptResult unsaid = KeptOf(IdOf(3));
  unsaid.clear_measured_by();
  EXPECT_FALSE(results.Load(std::move(unsaid), "this board", Milliseconds{0}));
  EXPECT_EQ(results.size(), 1U);
  EXPECT_EQ(results.TakeDroppedFromDisk(), (std::vector<std::string>{IdOf(2), IdOf(3)}));
}

TEST_F(DaemonJobsTest, GivesAResultToNobodyElse) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')});
  const std::string bob = driver_.SayHello(kBob);
  EXPECT_EQ(ResultIn(driver_.Deliver(kBob, driver_.MeasureRequest(bob, 'm'))).status(),
            v1::REJECTED);
}

// The agent does not read: what can be asked for again is dropped, a result is sent again.
TEST_F(DaemonJobsTest, F26SendsAResultAgainThatItsAgentDidNotTake) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')});
  driver_.Step(ResultNotSent{std::string(kMeasureIdBytes, 'm')});
  EXPECT_EQ(ResultIn(driver_.PassTime(Milliseconds{999})).status(), v1::MEASURE_STATUS_UNSPECIFIED);
  EXPECT_EQ(ResultIn(driver_.PassTime(Milliseconds{1})).status(), v1::OK);
  EXPECT_EQ(ResultIn(driver_.PassTime(Milliseconds{5'000})).status(),
            v1::MEASURE_STATUS_UNSPECIFIED);
}

// `fleet list` has the key of the search that measures: what it does not know it would acknowledge.
TEST_F(DaemonJobsTest, SendsAResultAgainOnlyToTheSessionThatAskedForIt) {
  std::vector<std::string> others{alice_};
  for (int i = 0; i < 8; ++i) others.push_back(driver_.SayHello(kAlice));
  const auto session_of = [&](const std::vector<Action>& actions) {
    const v1::Envelope sent = CoreDriver::OnlyReply(actions);
    return sent.has_measure_result() ? sent.session_id() : "no result";
  };
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  // Its agent asks again in a new session, among others of the same key.
  const std::string asking = driver_.SayHello(kAlice);
  others.push_back(driver_.SayHello(kAlice));
  driver_.Deliver(kAlice, driver_.MeasureRequest(asking, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')});
  const ResultNotSent not_sent{std::string(kMeasureIdBytes, 'm')};
  driver_.Step(not_sent);
  EXPECT_EQ(session_of(driver_.PassTime(KeptResults::kResendPause)), asking);
  // And in another one, after the end.
  driver_.Deliver(kAlice, driver_.MeasureRequest(others.back(), 'm'));
  driver_.Step(not_sent);
  EXPECT_EQ(session_of(driver_.PassTime(KeptResults::kResendPause)), others.back());
}

TEST_F(DaemonJobsTest, F12KeepsResultsInMemoryAndSaysSoWhenTheDiskIsFull) {
  const JobId job = Start(driver_.MeasureRequest(alice_, 'm'));
  driver_.Step(WorkerAnswered{job, CoreDriver::MeasureReply('m')});
  driver_.PassTime(KeptResults::kStoreDelay);
  const std::string id(kMeasureIdBytes, 'm');
  const Status full(StatusCode::kResourceExhausted, "no space left");
  EXPECT_EQ(CoreDriver::Of<Log>(driver_.Step(ResultStored{id, full})).size(), 1U);
  EXPECT_TRUE(
      CoreDriver::Of<Log>(driver_.Step(ResultStored{id, full})).empty());  // Once is enough.
  EXPECT_EQ(driver_.core.BoardStatusAt(driver_.now).kept_results_problem(), "no space left");
  EXPECT_EQ(driver_.core.BoardStatusAt(driver_.now).kept_results(), 1U);
  EXPECT_EQ(ResultIn(driver_.Deliver(kAlice, driver_.MeasureRequest(alice_, 'm'))).status(),
            v1::OK);
  driver_.Step(ResultStored{id, Status()});
  EXPECT_EQ(driver_.core.BoardStatusAt(driver_.now).kept_results_problem(), "");
}

}  // namespace
}  // namespace bitpilot::daemon
