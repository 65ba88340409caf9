// The simulator's oracle: what it counts of a queue, and what it cannot know.
#include "experiments/reliability/oracle.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Time kTtl = seconds{30};

// One board; a user has one session, of the same name.
class OracleTest : public testing::Test {
 protected:
  OracleTest() { oracle_.OnBoardStarted(0, 1, "a"); }

  // A new message of the session comes.
  bool Say(const std::string& session) {
    return oracle_.OnSessionMessage(0, session, ++requests_[session], now_);
  }

  void AskForLease(const std::string& session, int priority, bool is_reservation) {
    ASSERT_TRUE(Say(session));
    oracle_.OnLeaseAsked(0, session, priority, is_reservation);
  }

  void Grant(const std::string& session, bool is_reservation) {
    oracle_.OnLeaseGranted(0, {session, session, ++epoch_, is_reservation, kTtl}, now_);
  }

  void Share(const std::string& session, int priority) {
    AskForLease(session, priority, /*is_reservation=*/false);
    Grant(session, /*is_reservation=*/false);
  }

  void Ask(const std::string& session, const std::string& job) {
    ASSERT_TRUE(Say(session));
    oracle_.OnAccepted(0, session, session, job, now_);
  }

  // The job runs, for a while, and ends.
  void Run(const std::string& session, const std::string& job, Time takes = seconds{1}) {
    oracle_.OnExecutionStarted(0, session, {job, 0, 1, {}, "a"}, /*is_measurement=*/true, now_);
    now_ += takes;
    oracle_.OnExecutionEnded(0, now_);
  }

  // Bob and Carol, whose priority is higher, run `count` jobs in turns; one of them waits always.
  void RunUrgentJobs(int count, Time takes) {
    Ask("bob", "urgent 0");
    for (int i = 0; i < count; ++i) {
      Ask(i % 2 == 0 ? "carol" : "bob", "urgent " + std::to_string(i + 1));
      Run(i % 2 == 0 ? "bob" : "carol", "urgent " + std::to_string(i), takes);
    }
  }

  std::string violation() const { return oracle_.violation().value_or(""); }

  Oracle oracle_;
  Time now_{0};
  std::map<std::string, std::uint64_t> requests_;
  std::uint64_t epoch_ = 0;
};

TEST_F(OracleTest, LetsAJobGoFirstThatSixteenLaterOnesHavePassedOver) {
  Share("alice", -1);
  Share("bob", 1);
  Share("carol", 1);
  Ask("alice", "patient");
  RunUrgentJobs(16, seconds{1});
  EXPECT_EQ(violation(), "");
  Run("alice", "patient");
  EXPECT_EQ(violation(), "");
  EXPECT_EQ(oracle_.most_overtakers(), 16);
}

TEST_F(OracleTest, ObjectsToALowPriorityThatGoesFirstTooEarly) {
  Share("alice", -1);
  Share("bob", 1);
  Share("carol", 1);
  Ask("alice", "patient");
  RunUrgentJobs(15, seconds{1});
  Run("alice", "patient");
  EXPECT_TRUE(violation().starts_with("turns in order: board 0 starts a job of alice before"))
      << violation();
}

TEST_F(OracleTest, ObjectsToASeventeenthThatGoesFirst) {
  Share("alice", -1);
  Share("bob", 1);
  Share("carol", 1);
  Ask("alice", "patient");
  RunUrgentJobs(17, seconds{1});
  EXPECT_EQ(violation(), "turns in order: board 0 passes a job of alice over 17 times");
}

// A daemon keeps the lease of whose job waits, though nothing comes from its session for longer than
// a lease lasts.
TEST_F(OracleTest, CountsWhatPassesAJobOverAfterItsLeaseWouldHaveEnded) {
  Share("alice", -1);
  Share("bob", 1);
  Share("carol", 1);
  Ask("alice", "patient");
  RunUrgentJobs(16, seconds{4});
  ASSERT_GT(now_, kTtl);
  EXPECT_EQ(oracle_.most_overtakers(), 16);
  Run("alice", "patient");
  EXPECT_EQ(violation(), "");
}

TEST_F(OracleTest, CountsReservationsThatPassAJobOver) {
  Share("alice", -1);
  Share("carol", 1);
  Ask("carol", "long");
  oracle_.OnExecutionStarted(0, "carol", {"long", 0, 1, {}, "a"}, /*is_measurement=*/true, now_);
  Ask("alice", "patient");
  for (int i = 0; i < 17; ++i) {
    EXPECT_EQ(violation(), "") << i;
    AskForLease("bob", 1, /*is_reservation=*/true);
    Grant("bob", /*is_reservation=*/true);
    oracle_.OnLeaseReleased(0, "bob");
  }
  EXPECT_EQ(violation(), "turns in order: board 0 passes a job of alice over 17 times");
}

// It may have lost its place in the queue, or not: the board knows, a job that came meanwhile has
// perhaps been passed over.
TEST_F(OracleTest, DoesNotObjectToAReservationThatWasAskedForBeforeTheJob) {
  Share("alice", -1);
  Share("carol", 1);
  AskForLease("bob", 1, /*is_reservation=*/true);
  Ask("alice", "patient");
  AskForLease("bob", 1, /*is_reservation=*/true);
  Grant("bob", /*is_reservation=*/true);
  oracle_.OnLeaseReleased(0, "bob");
  EXPECT_EQ(oracle_.most_overtakers(), 0);
}

TEST_F(OracleTest, CountsNothingWhileAnotherHasAReservation) {
  Share("alice", -1);
  Ask("alice", "patient");
  AskForLease("bob", 1, /*is_reservation=*/true);
  Grant("bob", /*is_reservation=*/true);
  for (int i = 0; i < 20; ++i) {
    Ask("bob", std::to_string(i));
    Run("bob", std::to_string(i));
  }
  EXPECT_EQ(violation(), "");
  EXPECT_EQ(oracle_.most_overtakers(), 1) << "by the reservation itself";
}

TEST_F(OracleTest, ObjectsToAJobThatDoesNotWait) {
  Share("alice", 0);
  Run("alice", "nobody's");
  EXPECT_EQ(violation(), "no execution without lease: board 0 starts a job that does not wait");
}

TEST_F(OracleTest, TakesALateMessageOrACopyForNoSignOfLife) {
  Share("alice", 0);
  EXPECT_FALSE(oracle_.OnSessionMessage(0, "alice", requests_["alice"], now_));
  EXPECT_TRUE(Say("alice"));
}

// ---- What a study may hold

// Two jobs of the same networks, which one board measured: only their ids tell them apart.
class OracleRecordTest : public OracleTest {
 protected:
  OracleRecordTest() {
    Share("alice", 0);
    for (const std::string& id : {Id('a'), Id('b')}) {
      Ask("alice", id);
      executions_[id] = oracle_.OnExecutionStarted(0, "alice", {id, 0, 1, {"n1", "n2"}, "a"},
                                                   /*is_measurement=*/true, now_);
      now_ += seconds{1};
      oracle_.OnNumbers(executions_[id], "OK");
      oracle_.OnExecutionEnded(0, now_);
    }
  }

  static std::string Id(char letter) { return std::string(16, letter); }

  // Of job 0, whose measurement is 'a', or of job 1, whose is 'b'.
  Oracle::Record RecordOf(int job) const {
    Oracle::Record record;
    record.job = job;
    record.job_id = record.measure_id = Id(job == 0 ? 'a' : 'b');
    record.is_end = true;
    record.status = "OK";
    record.board = 0;
    record.class_tag = "big";
    record.networks = {"n1", "n2"};
    const std::uint64_t execution = executions_.at(record.measure_id);
    record.numbers = {{execution, 0}, {execution, 1}};
    return record;
  }

  Oracle::Record FailureOf(int job, const std::string& status) const {
    Oracle::Record record = RecordOf(job);
    record.numbers.clear();
    record.status = status;
    record.asked = now_;
    return record;
  }

  std::map<std::string, std::uint64_t> executions_;
};

TEST_F(OracleRecordTest, TakesNumbersOfTheJobThatWasMeasured) {
  oracle_.OnRecorded(RecordOf(0));
  oracle_.OnRecorded(RecordOf(1));
  EXPECT_EQ(violation(), "");
}

TEST_F(OracleRecordTest, ObjectsToTheNumbersOfAnotherJobOfTheSameNetworks) {
  Oracle::Record swapped = RecordOf(0);
  swapped.measure_id = Id('b');
  swapped.numbers = RecordOf(1).numbers;
  oracle_.OnRecorded(swapped);
  EXPECT_EQ(violation(),
            "numbers are measured: the numbers of job 0 of agent 0 are of a measurement that was "
            "asked for another job");
}

TEST_F(OracleRecordTest, ObjectsToNumbersThatAreExchangedBetweenTheNetworksOfAJob) {
  Oracle::Record swapped = RecordOf(0);
  std::swap(swapped.numbers[0], swapped.numbers[1]);
  oracle_.OnRecorded(swapped);
  EXPECT_EQ(violation(),
            "numbers are measured: the numbers of job 0 of agent 0 are exchanged among each other");
}

TEST_F(OracleRecordTest, ObjectsToAFailureThatNothingCaused) {
  oracle_.OnRecorded(FailureOf(0, "CRASH"));
  EXPECT_EQ(
      violation(),
      "failures are explained: attempt 0 of job 0 of agent 0 is recorded as CRASH on board 0, "
      "whose worker did not fail so");
}

TEST_F(OracleRecordTest, ObjectsToACandidateThatFailedOnceOnly) {
  oracle_.OnWorkerFault(executions_.at(Id('a')), "CRASH", now_);
  oracle_.OnRecorded(FailureOf(0, "CRASH"));
  EXPECT_EQ(violation(),
            "failures are explained: attempt 0 of job 0 of agent 0 is recorded as CRASH for good "
            "after 1 such failures, expected 2");
}

TEST_F(OracleRecordTest, ObjectsToALossWithoutAFaultOfTheBoardOrTheWayToIt) {
  oracle_.OnDisturbed(0, /*board=*/1, now_);
  oracle_.OnDisturbed(/*agent=*/1, 0, now_);
  Oracle::Record lost = FailureOf(0, "LOST");
  lost.is_end = false;
  oracle_.OnRecorded(lost);
  EXPECT_TRUE(violation().starts_with("failures are explained: ")) << violation();
}

TEST_F(OracleRecordTest, TakesALossToAFaultOfTheBoard) {
  oracle_.OnDisturbed(Oracle::kAll, 0, now_);
  Oracle::Record lost = FailureOf(0, "LOST");
  lost.is_end = false;
  oracle_.OnRecorded(lost);
  EXPECT_EQ(violation(), "");
}

// Its job asks another board; what runs there is to end.
TEST_F(OracleRecordTest, TakesALossToADrainAndNoEndOfWhatRan) {
  oracle_.OnDrained(0, true, now_);
  Oracle::Record lost = FailureOf(0, "LOST");
  lost.is_end = false;
  oracle_.OnRecorded(lost);
  EXPECT_EQ(violation(), "");
  Oracle::Record stopped = FailureOf(1, "CANCELLED");
  stopped.is_end = false;
  oracle_.OnRecorded(stopped);
  EXPECT_TRUE(violation().starts_with("failures are explained: ")) << violation();
}

TEST_F(OracleRecordTest, ObjectsToAMeasurementWhoseNumbersAreGone) {
  Oracle::Record record = RecordOf(0);
  record.numbers.clear();
  oracle_.OnRecorded(record);
  EXPECT_EQ(violation(),
            "numbers are measured: the numbers of job 0 of agent 0 are gone: it is recorded as OK");
}

TEST_F(OracleRecordTest, ObjectsToNoiseThatIsRecordedAsNone) {
  for (const auto& [id, execution] : executions_) oracle_.OnNumbers(execution, "NOISY");
  Oracle::Record record = RecordOf(0);
  record.status = "NOISY";
  oracle_.OnRecorded(record);
  EXPECT_EQ(violation(), "");
  oracle_.OnRecorded(RecordOf(1));
  EXPECT_EQ(violation(),
            "numbers are measured: the numbers of job 1 of agent 0 are recorded as OK, and were "
            "NOISY");
}

TEST_F(OracleTest, LetsADrainedBoardFinishWhatItHadTaken) {
  Share("alice", 0);
  Ask("alice", "taken");
  oracle_.OnDrained(0, true, now_);
  Run("alice", "taken");
  EXPECT_EQ(violation(), "");
  Ask("alice", "late");
  EXPECT_EQ(violation(), "drained boards rest: board 0 is drained and takes a job of alice");
}

TEST_F(OracleTest, ObjectsToALeaseOfADrainedBoard) {
  oracle_.OnDrained(0, true, now_);
  Share("alice", 0);
  EXPECT_EQ(violation(), "drained boards rest: board 0 is drained and gives a lease to alice");
}

TEST_F(OracleTest, ObjectsToAPowerCycleOfABoardThatTheAgentKnowsToBeDrained) {
  oracle_.OnBoardAdded(0, 0);
  oracle_.OnPowerCut(0, 0, 3);
  oracle_.OnToldDrained(0, 0, true);
  EXPECT_EQ(violation(), "");
  oracle_.OnPowerCut(0, 0, 3);
  EXPECT_TRUE(violation().starts_with("drained boards rest: agent 0 power-cycles board 0"))
      << violation();
}

}  // namespace
}  // namespace bitpilot::simulation
