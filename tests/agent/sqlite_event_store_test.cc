// What the SQLite store promises beyond every store's (event_store_test.cc): whose death frees a
// claim, what a removed lock file does, what kill -9 leaves, and what other programs can query.
#include "agent/study/sqlite/sqlite_event_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <random>

#include "agent/study/measurement_blob.h"
#include "agent/study/sqlite/sqlite_database.h"
#include "tests/agent/forked_process.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const NewEvent kConfigEvent{"config", R"({"seed":7})", {}};
const NewEvent kNextEvent{"proposal", R"({"step":0})", {}};

class SqliteEventStoreTest : public testing::Test {
 protected:
  std::unique_ptr<EventStore> Open() { return MakeSqliteEventStore(path_); }

  std::unique_ptr<EventStore> Begin() {
    auto store = Open();
    EXPECT_TRUE(store->Claim().ok());
    const Status begun = store->BeginLog(kConfigEvent);
    EXPECT_TRUE(begun.ok()) << begun.message();
    return store;
  }
  // Goes on with the log that is there.
  std::unique_ptr<EventStore> Continue() {
    auto store = Open();
    EXPECT_TRUE(store->Claim().ok());
    const Status begun = store->BeginRun();
    EXPECT_TRUE(begun.ok()) << begun.message();
    return store;
  }
  static Status AppendNext(EventStore& store) { return store.Append(std::span(&kNextEvent, 1)); }
  std::int64_t NumEvents() { return ValueOrDie(ValueOrDie(Open()->Snapshot())->End()).head.seq; }
  void RemoveLock() { ASSERT_TRUE(std::filesystem::remove(path_ + ".lock")); }

  StudyFolder folder_;
  std::string path_ = folder_.Path("a.db");
};

TEST_F(SqliteEventStoreTest, AnotherProcessKeepsItsClaimAlsoWhenStoppedUntilItDies) {
  ForkedProcess holder([this](const ForkedProcess::Report& report) {
    const auto store = Begin();
    report(AppendNext(*store).ok() ? getpid() : 0);
    pause();
  });
  const std::int32_t holder_pid = ValueOrDie([&]() -> Result<std::int32_t> {
    const std::optional<std::int32_t> pid = holder.Read();
    return pid ? Result<std::int32_t>(*pid) : InvalidArgument("the holder ended");
  }());
  ASSERT_NE(holder_pid, 0);
  const Status refused = Open()->Claim();
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.message(), HasSubstr("process " + std::to_string(holder_pid)));
  EXPECT_EQ(NumEvents(), 2);  // Readers are not kept out.
  holder.Stop();
  EXPECT_EQ(Open()->Claim().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(holder.Kill());
  EXPECT_EQ(Problem(path_), "");
  const auto store = Continue();
  EXPECT_TRUE(AppendNext(*store).ok());
  EXPECT_EQ(NumEvents(), 3);
}

TEST_F(SqliteEventStoreTest, AHeartbeatTakesARemovedLockAgain) {
  const auto store = Begin();
  RemoveLock();
  EXPECT_TRUE(store->Heartbeat().ok());
  EXPECT_EQ(Open()->Claim().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(AppendNext(*store).ok());
  ASSERT_TRUE(store->End("done").ok());
  EXPECT_EQ(Problem(path_), "");
}

TEST_F(SqliteEventStoreTest, AWriterWhoseLockAnotherHoldsWritesNothingMore) {
  auto first = Begin();
  RemoveLock();
  const auto second = Continue();
  const Status beat = first->Heartbeat();
  EXPECT_EQ(beat.code(), StatusCode::kAborted);
  EXPECT_THAT(beat.message(), HasSubstr(path_ + ": is being written by process"));
  EXPECT_EQ(AppendNext(*first).code(), StatusCode::kAborted);
  EXPECT_EQ(NumEvents(), 1);
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path_ + ".lock")) << "the second one's";
  EXPECT_TRUE(AppendNext(*second).ok());
  ASSERT_TRUE(second->End("done").ok());
  EXPECT_EQ(Problem(path_), "");
  const std::vector<bitpilot::Run> runs = ValueOrDie(ValueOrDie(Open()->Snapshot())->Runs());
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].exit_reason, "");  // as if killed
  EXPECT_EQ(runs[1].exit_reason, "done");
}

// Whichever call comes first: work would be done in vain, and a run of another process ended it.
TEST_F(SqliteEventStoreTest, AWriterDoesNotGoOnBehindAnothersEvents) {
  const std::function<Status(EventStore&)> calls[] = {
      [](EventStore& store) { return store.Heartbeat(); },
      [](EventStore& store) { return store.End("failed"); }, AppendNext};
  std::int64_t num_events = 1;
  ASSERT_TRUE(Begin()->End("done").ok());
  for (const auto& call : calls) {
    auto first = Continue();
    RemoveLock();
    {
      const auto second = Continue();
      ASSERT_TRUE(AppendNext(*second).ok());
      ASSERT_TRUE(second->End("done").ok());
    }
    ++num_events;
    const Status refused = call(*first);
    EXPECT_EQ(refused.code(), StatusCode::kAborted);
    EXPECT_THAT(refused.message(), HasSubstr("another process has appended"));
    EXPECT_FALSE(first->is_writing());
    EXPECT_FALSE(std::filesystem::exists(path_ + ".lock")) << "who lost the claim keeps none";
    for (const auto& again : calls) EXPECT_EQ(again(*first).message(), refused.message());
    first.reset();
    EXPECT_EQ(NumEvents(), num_events);
    EXPECT_EQ(Problem(path_), "");
    EXPECT_FALSE(SqliteFileMayLackItsEnd(path_));
    const std::vector<bitpilot::Run> runs = ValueOrDie(ValueOrDie(Open()->Snapshot())->Runs());
    ASSERT_GE(runs.size(), 2u);
    EXPECT_EQ(runs[runs.size() - 2].exit_reason, "");  // as if killed
    EXPECT_EQ(runs.back().exit_reason, "done");
  }
}

// A medium that fails is nobody else's claim.
TEST_F(SqliteEventStoreTest, AWriterThatCannotTakeItsLockAgainGoesOnWhenItCan) {
  const auto store = Begin();
  RemoveLock();
  std::filesystem::create_directory(path_ + ".lock");  // cannot be opened for writing
  for (const Status& failed : {store->Heartbeat(), AppendNext(*store), store->End("done")}) {
    EXPECT_FALSE(failed.ok());
    EXPECT_NE(failed.code(), StatusCode::kAborted);
    EXPECT_THAT(failed.message(), HasSubstr(path_ + ".lock"));
    EXPECT_THAT(failed.message(), Not(HasSubstr("another process")));
  }
  EXPECT_TRUE(store->is_writing());
  RemoveLock();
  EXPECT_TRUE(store->Heartbeat().ok());
  EXPECT_TRUE(AppendNext(*store).ok());
  ASSERT_TRUE(store->End("done").ok());
  EXPECT_EQ(NumEvents(), 2);
  EXPECT_EQ(Problem(path_), "");
}

// SQLite would roll the removed study's journal back into the new file.
TEST_F(SqliteEventStoreTest, BeginsNoLogBesideWhatIsLeftOfARemovedOne) {
  for (const char* suffix : {"-wal", "-journal"}) {
    const std::string left = path_ + suffix;
    WriteBytes(left, "old");
    const auto store = Open();
    ASSERT_TRUE(store->Claim().ok());
    const Status refused = store->BeginLog(kConfigEvent);
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << suffix;
    EXPECT_THAT(refused.message(), HasSubstr(left + ": exists without " + path_ + ";"));
    EXPECT_EQ(ReadBytes(left), "old");
    EXPECT_FALSE(std::filesystem::exists(path_));
    std::filesystem::remove(left);
  }
}

TEST_F(SqliteEventStoreTest, ALogThatDoesNotBeginLeavesNothing) {
  {
    const auto store = Open();
    ASSERT_TRUE(store->Claim().ok());
    const NewEvent impossible{"config", "{}", {"a blob that no table holds"}};
    EXPECT_EQ(store->BeginLog(impossible).code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(folder_.FileNames(), ElementsAre("a.db.lock"));
  }
  EXPECT_THAT(folder_.FileNames(), IsEmpty());
}

TEST_F(SqliteEventStoreTest, ARunThatDoesNotBeginLeavesTheFileAsItWas) {
  ASSERT_TRUE(Begin()->End("done").ok());
  const auto set_version = [this](const char* version) {
    const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadWrite));
    ASSERT_TRUE(raw->Execute(std::string("PRAGMA user_version = ") + version).ok());
  };
  const std::string present =
      ValueOrDie(ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadOnly))
                     ->QueryText("PRAGMA user_version"));
  set_version("0");  // whose migration finds its tables already there
  {
    const auto store = Open();
    ASSERT_TRUE(store->Claim().ok());
    EXPECT_FALSE(store->BeginRun().ok());
    EXPECT_FALSE(store->is_writing());
    EXPECT_FALSE(SqliteFileMayLackItsEnd(path_));
  }
  set_version(present.c_str());
  EXPECT_THAT(folder_.FileNames(), ElementsAre("a.db"));
  EXPECT_EQ(Problem(path_), "");
}

// A child that appends three events at a time and reports each batch.
TEST_F(SqliteEventStoreTest, KillLeavesWholeBatchesAndAllThatWereAcknowledged) {
  std::mt19937 random(20240612);
  std::int64_t acknowledged = 0;
  ASSERT_TRUE(Begin()->End("done").ok());
  for (int round = 0; round < 8; ++round) {
    ForkedProcess writer([this](const ForkedProcess::Report& report) {
      const auto store = Continue();
      const std::vector<NewEvent> batch(3, kNextEvent);
      while (true) {
        if (!store->Append(batch).ok()) _exit(2);
        report(3);
      }
    });
    for (auto left = random() % 20 + 1; left > 0; --left) {
      acknowledged += ValueOrDie([&]() -> Result<std::int32_t> {
        const std::optional<std::int32_t> events = writer.Read();
        return events ? Result<std::int32_t>(*events) : InvalidArgument("the writer ended");
      }());
    }
    usleep(static_cast<useconds_t>(random() % 2000));
    ASSERT_TRUE(writer.Kill());
    while (const std::optional<std::int32_t> events = writer.Read()) acknowledged += *events;
    ASSERT_EQ(Problem(path_), "") << "round " << round;
    const std::int64_t stored = NumEvents() - 1;
    EXPECT_EQ(stored % 3, 0);
    EXPECT_GE(stored, acknowledged);
    EXPECT_LE(stored, acknowledged + 3);
    acknowledged = stored;
  }
}

TEST_F(SqliteEventStoreTest, KeepsMeasurementsAndArtifactsInTablesForOtherPrograms) {
  const auto store = Begin();
  const std::vector<NewEvent> events = {
      {"measurement", "{}", {MeasurementBlob(MeasuredRow("m1", 1e6))}},
      {"artifact", ToJson(ArtifactEvent{"abc", "network", "n.bpnet"}), {}}};
  ASSERT_TRUE(store->Append(events).ok());
  const auto raw = ValueOrDie(SqliteDatabase::Open(path_, SqliteMode::kReadOnly));
  EXPECT_EQ(ValueOrDie(raw->QueryText("SELECT seq || measurement_id || status FROM measurement")),
            "2m1OK");
  EXPECT_EQ(ValueOrDie(raw->QueryText("SELECT seq || sha256 || kind || file FROM artifact")),
            "3abcnetworkn.bpnet");
  EXPECT_EQ(ValueOrDie(raw->QueryText("SELECT config FROM study")), kConfigEvent.payload);
}

TEST_F(SqliteEventStoreTest, TakesNoArtifactThatItsTableCannotGiveBack) {
  const auto store = Begin();
  for (const char* payload : {"{}", R"({"sha256":"abc", "kind":"network", "file":"n"})"}) {
    const NewEvent event{"artifact", payload, {}};
    EXPECT_EQ(store->Append(std::span(&event, 1)).code(), StatusCode::kInvalidArgument) << payload;
  }
  EXPECT_EQ(NumEvents(), 1);
}

}  // namespace
}  // namespace bitpilot
