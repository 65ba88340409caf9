// What every EventStore promises (agent/study/event_store.h). A further one is one more line of
// INSTANTIATE_TEST_SUITE_P.
#include "agent/study/event_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "agent/study/event_chain.h"
#include "agent/study/measurement_blob.h"
#include "agent/study/sqlite/sqlite_event_store.h"
#include "tests/agent/forked_process.h"
#include "tests/agent/memory_event_store.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const NewEvent kFirstEvent{"config", R"({"seed":7})", {}};

NewEvent Proposal(int step) { return {"proposal", "{\"step\":" + std::to_string(step) + "}", {}}; }

// One place for a log, and its stores.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual std::unique_ptr<EventStore> Open() = 0;
  // A process begins the log with kFirstEvent, appends Proposal(1) to Proposal(num_events) one by one
  // and dies, without having ended anything. Returns when its claim is free.
  virtual void DieHolding(int num_events) = 0;
};

Status BeginAndAppend(EventStore& store, int num_events) {
  BITPILOT_RETURN_IF_ERROR(store.Claim());
  BITPILOT_RETURN_IF_ERROR(store.BeginLog(kFirstEvent));
  for (int i = 1; i <= num_events; ++i) {
    const NewEvent event = Proposal(i);
    BITPILOT_RETURN_IF_ERROR(store.Append(std::span(&event, 1)));
  }
  return Status();
}

class SqliteStorePlace final : public StorePlace {
 public:
  std::unique_ptr<EventStore> Open() override { return MakeSqliteEventStore(folder_.Path("a.db")); }
  void DieHolding(int num_events) override {
    ForkedProcess process([&](const ForkedProcess::Report& report) {
      const std::unique_ptr<EventStore> store = Open();
      report(BeginAndAppend(*store, num_events).ok() ? 1 : 0);
      pause();
    });
    EXPECT_EQ(process.Read(), 1);
    EXPECT_TRUE(process.Kill());
  }

 private:
  StudyFolder folder_;
};

class MemoryStorePlace final : public StorePlace {
 public:
  std::unique_ptr<EventStore> Open() override { return std::make_unique<MemoryEventStore>(log_); }
  void DieHolding(int num_events) override {
    MemoryEventStore store(log_);
    EXPECT_TRUE(BeginAndAppend(store, num_events).ok());
    store.Die();
    log_->now_ns += MemoryLog::kSilenceNs;
  }

 private:
  std::shared_ptr<MemoryLog> log_ = std::make_shared<MemoryLog>();
};

using MakeStorePlace = std::unique_ptr<StorePlace> (*)();

class EventStoreTest : public testing::TestWithParam<MakeStorePlace> {
 protected:
  std::unique_ptr<EventStore> Open() { return place_->Open(); }

  // A store that writes a new log.
  std::unique_ptr<EventStore> Begin() {
    std::unique_ptr<EventStore> store = Open();
    const Status begun = BeginAndAppend(*store, 0);
    EXPECT_TRUE(begun.ok()) << begun.message();
    return store;
  }

  static void AppendOne(EventStore& store, const NewEvent& event) {
    const Status appended = store.Append(std::span(&event, 1));
    EXPECT_TRUE(appended.ok()) << appended.message();
  }

  static std::vector<StoredEvent> ReadFrom(const EventSnapshot& log, std::int64_t first_seq,
                                           const ReadOptions& options = {.with_blobs = true}) {
    std::vector<StoredEvent> events;
    const Status read = log.ReadFrom(first_seq, options, [&](StoredEvent event) {
      events.push_back(std::move(event));
      return Status();
    });
    EXPECT_TRUE(read.ok()) << read.message();
    return events;
  }
  static std::vector<StoredEvent> ReadAll(const EventStore& store) {
    return ReadFrom(*ValueOrDie(store.Snapshot()), 1);
  }
  static std::vector<std::string> Payloads(const std::vector<StoredEvent>& events) {
    std::vector<std::string> payloads;
    for (const StoredEvent& event : events) payloads.push_back(event.chained.event.payload);
    return payloads;
  }
  static std::vector<bitpilot::Run> Runs(const EventStore& store) {
    return ValueOrDie(ValueOrDie(store.Snapshot())->Runs());
  }

  std::unique_ptr<StorePlace> place_ = GetParam()();
};

TEST_P(EventStoreTest, HoldsNoLogUntilOneIsBegun) {
  const auto store = Open();
  EXPECT_EQ(store->Snapshot().status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(store->Claim().ok());
  EXPECT_EQ(store->Snapshot().status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(store->is_writing());
  ASSERT_TRUE(store->BeginLog(kFirstEvent).ok());
  EXPECT_TRUE(store->is_writing());
  EXPECT_THAT(Payloads(ReadAll(*Open())), ElementsAre(kFirstEvent.payload));
}

TEST_P(EventStoreTest, NumbersAndChainsEventsInTheOrderOfTheirAppends) {
  const auto store = Begin();
  AppendOne(*store, Proposal(1));
  const std::vector<NewEvent> both = {Proposal(2), Proposal(3)};
  ASSERT_TRUE(store->Append(both).ok());
  const auto log = ValueOrDie(store->Snapshot());
  const std::vector<StoredEvent> events = ReadFrom(*log, 1);
  ASSERT_EQ(events.size(), 4u);
  LogHead head;
  for (const StoredEvent& event : events) {
    const StoredEvent expected = ChainNext(
        head, 1, event.chained.utc_ns, {event.chained.event.kind, event.chained.event.payload, {}});
    EXPECT_EQ(event.chained.event.seq, expected.chained.event.seq);
    EXPECT_EQ(event.chained.prev_sha256, expected.chained.prev_sha256);
    EXPECT_EQ(event.sha256, expected.sha256);
    head = {event.chained.event.seq, event.sha256};
  }
  EXPECT_THAT(Payloads(events),
              ElementsAre(kFirstEvent.payload, R"({"step":1})", R"({"step":2})", R"({"step":3})"));
  const RecordedEnd end = ValueOrDie(log->End());
  EXPECT_EQ(end.head.seq, 4);
  EXPECT_EQ(end.head.sha256, head.sha256);
  EXPECT_EQ(end.runs_sha256, RunsSha256(ValueOrDie(log->Runs())));
  EXPECT_FALSE(ValueOrDie(log->FindAlteration()).has_value());
  EXPECT_FALSE(ValueOrDie(log->FindDamage()).has_value());
}

TEST_P(EventStoreTest, GivesBackKindAndPayloadToTheByte) {
  const auto store = Begin();
  const std::vector<std::string> payloads = {"", std::string("zero \0 byte, quote ' and \xff", 25),
                                             std::string(1 << 20, 'x')};
  for (const std::string& payload : payloads) AppendOne(*store, {"a kind's \xc3\xa9", payload, {}});
  const std::vector<StoredEvent> events = ReadAll(*store);
  ASSERT_EQ(events.size(), 1 + payloads.size());
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    EXPECT_EQ(events[i + 1].chained.event.kind, "a kind's \xc3\xa9");
    EXPECT_EQ(events[i + 1].chained.event.payload, payloads[i]);
  }
  EXPECT_FALSE(ValueOrDie(VerifyLog(*store)).has_value());
}

// The one kind of today, and bytes of no kind: refused, if a store has no place for them, but never
// kept in part.
TEST_P(EventStoreTest, GivesBackBlobsToTheByteOrRefusesTheirEvents) {
  const auto store = Begin();
  MeasurementRow row = MeasuredRow("m1", 1e6 / 3.0);
  row.detail = std::string("zero \0 byte and \xff", 17);
  const NewEvent measurement{"measurement",
                             ToJson(MeasurementEvent{"m1", MeasurementSha256(row), row.candidate_id,
                                                     row.tier, row.status}),
                             {MeasurementBlob(row)}};
  AppendOne(*store, measurement);
  EXPECT_EQ(ReadAll(*store).back().blobs, measurement.blobs);
  EXPECT_FALSE(ValueOrDie(VerifyLog(*store)).has_value());

  std::size_t expected = 2;
  for (const NewEvent& event :
       {NewEvent{"trace", "{}", {std::string("\0\xff", 2), ""}},
        NewEvent{"measurement", "{}", {"no row"}}, NewEvent{"measurement", "{}", {}},
        NewEvent{"measurement", "{}", {MeasurementBlob(MeasuredRow("negative", -1.0))}}}) {
    const std::vector<NewEvent> batch = {Proposal(1), event};
    const Status appended = store->Append(batch);
    if (appended.ok()) {
      expected += 2;
      EXPECT_EQ(ReadAll(*store).back().blobs, event.blobs);
    } else {
      EXPECT_EQ(appended.code(), StatusCode::kInvalidArgument) << appended.message();
    }
    EXPECT_EQ(ReadAll(*store).size(), expected);
  }
  AppendOne(*store, Proposal(2));
}

TEST_P(EventStoreTest, ReadsFromAnyEventAsManyAsAreAskedFor) {
  const auto store = Begin();
  for (int i = 1; i <= 4; ++i) AppendOne(*store, Proposal(i));
  const auto log = ValueOrDie(store->Snapshot());
  EXPECT_THAT(Payloads(ReadFrom(*log, 4)), ElementsAre(R"({"step":3})", R"({"step":4})"));
  EXPECT_THAT(Payloads(ReadFrom(*log, 2, {.max_events = 2})),
              ElementsAre(R"({"step":1})", R"({"step":2})"));
  EXPECT_TRUE(ReadFrom(*log, 6).empty());
  int visits = 0;
  const Status read = log->ReadFrom(1, {}, [&](const StoredEvent&) {
    return ++visits == 2 ? InvalidArgument("enough") : Status();
  });
  EXPECT_EQ(read.message(), "enough");
  EXPECT_EQ(visits, 2);
}

TEST_P(EventStoreTest, LeavesOutBlobsThatAreNotAskedFor) {
  const auto store = Begin();
  const MeasurementRow row = MeasuredRow("m1", 1e6);
  AppendOne(*store, {"measurement", R"({"measurement_id":"m1"})", {MeasurementBlob(row)}});
  const auto log = ValueOrDie(store->Snapshot());
  EXPECT_TRUE(ReadFrom(*log, 2, {}).at(0).blobs.empty());
  EXPECT_EQ(ReadFrom(*log, 2).at(0).blobs.size(), 1u);
}

TEST_P(EventStoreTest, ASnapshotStaysAsItWasWhileTheLogGrows) {
  const auto writer = Begin();
  const auto reader = Open();
  {
    const auto before = ValueOrDie(reader->Snapshot());
    AppendOne(*writer, Proposal(1));
    EXPECT_EQ(ReadFrom(*before, 1).size(), 1u);
    EXPECT_EQ(ValueOrDie(before->End()).head.seq, 1);
  }
  EXPECT_EQ(ReadAll(*reader).size(), 2u);
}

TEST_P(EventStoreTest, OnlyAStoreThatBeganARunAppends) {
  const auto writer = Begin();
  const auto reader = Open();
  EXPECT_EQ(ReadAll(*reader).size(), 1u);
  const NewEvent event = Proposal(1);
  EXPECT_EQ(reader->Append(std::span(&event, 1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(reader->Heartbeat().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(reader->End("done").code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(writer->End("done").ok());
  EXPECT_FALSE(writer->is_writing());
  EXPECT_EQ(writer->Append(std::span(&event, 1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadAll(*writer).size(), 1u);
}

TEST_P(EventStoreTest, BeginsNoLogWhereThereIsOne) {
  ASSERT_TRUE(Begin()->End("done").ok());
  const auto store = Open();
  ASSERT_TRUE(store->Claim().ok());
  EXPECT_EQ(store->BeginLog({"config", "{}", {}}).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(store->is_writing());
  EXPECT_THAT(Payloads(ReadAll(*store)), ElementsAre(kFirstEvent.payload));
}

TEST_P(EventStoreTest, AClaimIsRefusedWhileItsHolderLives) {
  auto holder = Open();
  ASSERT_TRUE(holder->Claim().ok());
  const Status refused = Open()->Claim();
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr(holder->name()));
  ASSERT_TRUE(holder->BeginLog(kFirstEvent).ok());
  EXPECT_EQ(Open()->Claim().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(holder->Heartbeat().ok());
  AppendOne(*holder, Proposal(1));
  ASSERT_TRUE(holder->End("done").ok());
  EXPECT_TRUE(Open()->Claim().ok());
}

TEST_P(EventStoreTest, AClaimWithoutARunEndsWithItsStore) {
  {
    const auto store = Open();
    ASSERT_TRUE(store->Claim().ok());
  }
  EXPECT_EQ(ReadAll(*Begin()).size(), 1u);
}

TEST_P(EventStoreTest, ARunSaysWhoAppendedAndHowItEnded) {
  ASSERT_TRUE(Begin()->End("interrupted").ok());
  {
    const auto abandoned = Open();
    ASSERT_TRUE(abandoned->Claim().ok());
    ASSERT_TRUE(abandoned->BeginRun().ok());
    AppendOne(*abandoned, Proposal(1));
  }
  const auto store = Open();
  ASSERT_TRUE(store->Claim().ok());
  ASSERT_TRUE(store->BeginRun().ok());
  AppendOne(*store, Proposal(2));
  const std::vector<bitpilot::Run> runs = Runs(*store);
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].exit_reason, "interrupted");
  EXPECT_EQ(runs[1].exit_reason, "failed");
  EXPECT_NE(runs[1].ended_utc_ns, 0);
  EXPECT_EQ(runs[2].exit_reason, "");
  EXPECT_EQ(runs[2].ended_utc_ns, 0);
  const std::vector<StoredEvent> events = ReadAll(*store);
  ASSERT_EQ(events.size(), 3u);
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].chained.run_id, runs[i].run_id);
    EXPECT_EQ(events[i].chained.run_id, static_cast<std::int64_t>(i) + 1);
  }
  EXPECT_FALSE(ValueOrDie(VerifyLog(*store)).has_value());
}

TEST_P(EventStoreTest, ADeadHolderLosesItsClaimAndNoAcknowledgedEvent) {
  place_->DieHolding(3);
  const auto store = Open();
  EXPECT_FALSE(ValueOrDie(VerifyLog(*store)).has_value());
  const Status claimed = store->Claim();
  ASSERT_TRUE(claimed.ok()) << claimed.message();
  ASSERT_TRUE(store->BeginRun().ok());
  AppendOne(*store, Proposal(4));
  EXPECT_THAT(Payloads(ReadAll(*store)),
              ElementsAre(kFirstEvent.payload, R"({"step":1})", R"({"step":2})", R"({"step":3})",
                          R"({"step":4})"));
  EXPECT_EQ(Runs(*store).at(0).exit_reason, "");  // killed
  ASSERT_TRUE(store->End("done").ok());
  EXPECT_FALSE(ValueOrDie(VerifyLog(*store)).has_value());
}

template <typename P>
std::unique_ptr<StorePlace> MakeAt() {
  return std::make_unique<P>();
}
INSTANTIATE_TEST_SUITE_P(Sqlite, EventStoreTest, testing::Values(&MakeAt<SqliteStorePlace>));
INSTANTIATE_TEST_SUITE_P(Memory, EventStoreTest, testing::Values(&MakeAt<MemoryStorePlace>));

}  // namespace
}  // namespace bitpilot
