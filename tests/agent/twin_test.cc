#include "agent/session/twin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "agent/session/problem_setup.h"
#include "agent/study/study_files.h"
#include "policies/reward.h"
#include "tests/agent/small_search.h"

namespace bitpilot {
namespace {

CachedTwin TwinOf(int num_readings) {
  CachedTwin twin;
  for (int i = 0; i < num_readings; ++i) {
    twin.readings.push_back({10 * i, 0.5 - 0.0625 * i, 0.01, 0.1});
    twin.losses.Add(10 * i, {0.25F, 0.75F - 0.125F * static_cast<float>(i)});
  }
  twin.state = "weights after " + std::to_string(num_readings);
  return twin;
}

class TwinCacheTest : public testing::Test {
 protected:
  StudyFolder folder_;
  std::string path_ = folder_.Path("twins");
  TwinCache cache_{path_};
};

TEST_F(TwinCacheTest, FindsTheLastTwinThatWasKept) {
  EXPECT_FALSE(cache_.Find("a").has_value());
  cache_.Keep("a", TwinOf(2));
  cache_.Keep("a", TwinOf(3));
  cache_.Keep("b", TwinOf(1));
  const auto found = TwinCache(path_).Find("a");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->readings, TwinOf(3).readings);
  EXPECT_EQ(found->losses.Serialize(), TwinOf(3).losses.Serialize());
  EXPECT_EQ(found->state, TwinOf(3).state);
}

TEST_F(TwinCacheTest, DoesNotBelieveADamagedEntry) {
  cache_.Keep("a", TwinOf(2));
  const std::string file = path_ + "/a.twin";
  const std::string sound = ReadBytes(file);
  ASSERT_TRUE(cache_.Find("a").has_value());
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    WriteBytes(file, damaged);
    EXPECT_FALSE(cache_.Find("a").has_value()) << "byte " << at;
    WriteBytes(file, sound.substr(0, at));
    EXPECT_FALSE(cache_.Find("a").has_value()) << "cut off at " << at;
  }
}

TEST_F(TwinCacheTest, KeepsNothingWithoutAFolderAndMindsNoFullOne) {
  const TwinCache none("");
  none.Keep("a", TwinOf(2));
  EXPECT_FALSE(none.Find("a").has_value());
  WriteBytes(folder_.Path("file"), "not a folder");
  const TwinCache blocked(folder_.Path("file") + "/twins");
  blocked.Keep("a", TwinOf(2));
  EXPECT_FALSE(blocked.Find("a").has_value());
}

TEST_F(TwinCacheTest, HasAKeyForEverythingThatTheTrainingDependsOn) {
  const SearchConfig config;
  const std::string key = TwinKey(config, 120, "start");
  EXPECT_EQ(TwinKey(config, 120, "start"), key);
  EXPECT_NE(TwinKey(config, 120, "another start"), key);
  EXPECT_NE(TwinKey(config, 60, "start"), key);
  const auto changed = [&](auto change) {
    SearchConfig other = config;
    change(other);
    return TwinKey(other, 120, "start");
  };
  EXPECT_NE(changed([](SearchConfig& c) { c.model = "resnet20"; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.weights_sha256 = "1"; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.data_sha256 = "1"; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.batch_size = 7; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.learning_rate = 7; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.distill = !c.distill; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.seed = 7; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.teacher_sha256 = "1"; }), key);
  EXPECT_NE(changed([](SearchConfig& c) { c.train_threads = 7; }), key);
  // It trains at 8 bits, whatever is searched and wherever.
  EXPECT_EQ(changed([](SearchConfig& c) { c.device = "model:x"; }), key);
  EXPECT_EQ(changed([](SearchConfig& c) { c.policy = "random"; }), key);
  EXPECT_EQ(changed([](SearchConfig& c) { c.classes = {"a", "b"}; }), key);
}

// The twin of a small search, trained with `stop`.
class TwinTest : public testing::Test {
 protected:
  Result<AnchorEvent> Settle(const std::string& name, const TwinCache& cache,
                             const std::function<bool()>& stop) {
    const std::string path = folder_.Path(name) + "/study.db";
    std::filesystem::create_directories(folder_.Path(name));
    const auto study = ValueOrDie(Study::Create(path, ToJson(search_.config).dump()));
    Journal journal = ValueOrDie(Journal::Open(*study, Journal::AtEnd::kRecord));
    const StudyFiles files(path);
    const auto parts = ValueOrDie(search_.FreshParts());
    SearchProblem problem;
    problem.topology = FindModel(search_.config.model)->topology;
    problem.base = UniformAssignment(problem.topology, 8, 8);
    PlacedTraining training(search_.config, problem.base, files, &*parts->model, &parts->images,
                            &parts->calibration, stop);
    StoredFile start;
    if (training.trains()) {
      const Result<StoredFile> saved = training.SaveStart();
      if (!saved.ok()) return saved.status();
      start = *saved;
    }
    Result<AnchorEvent> twin = SettleTwin(search_.config, problem, start, training, cache, journal,
                                          files, search_.observer);
    if (twin.ok() && extend_to_ > 0) {
      const AnchorEvent first = *twin;
      twin = ExtendTwin(search_.config, problem, first, extend_to_, training, cache, journal, files,
                        search_.observer);
      if (twin.ok()) {
        EXPECT_TRUE(ValueOrDie(LossesOf(*twin, files)).AreOf(twin->anchor));
      }
    }
    search_.TakeBoard(*parts);
    return twin;
  }

  StudyFolder folder_;
  SmallSearch search_{folder_};
  int extend_to_ = 0;  // mini-batches in all, if not 0
};

// Its progress must not stand below the name of what was done before.
TEST_F(TwinTest, ReadingItIsAPhaseOfItsOwnWhereNothingTrains) {
  search_.config.train_batches = 0;
  const AnchorEvent twin = ValueOrDie(Settle("s", TwinCache(""), [] { return false; }));
  EXPECT_EQ(twin.anchor.readings.size(), 1U);
  EXPECT_THAT(search_.observer.phases,
              testing::Contains("reading uniform 8 bit, to compare with 1"));
}

TEST_F(TwinTest, IsReadAtNineEvenPoints) {
  search_.config.measurements = 8;
  const AnchorEvent twin = ValueOrDie(Settle("s", TwinCache(""), [] { return false; }));
  ASSERT_EQ(twin.anchor.readings.size(), 9U);
  for (int i = 0; i < kTwinReadings; ++i) {
    const AnchorReading& reading = twin.anchor.readings[static_cast<std::size_t>(i)];
    EXPECT_EQ(reading.batches, 2 * i);
    EXPECT_GT(reading.loss, 0.0);
    EXPECT_GT(reading.loss_error, 0.0);
    EXPECT_GE(reading.error, 0.0);
  }
  EXPECT_NE(twin.sha256, "");
}

// What was read before stays, and so does what anchored figures are given at.
TEST_F(TwinTest, TrainsOnAndIsReadEvenlyWhereASearchIsExtended) {
  search_.config.measurements = 4;
  const AnchorEvent first = ValueOrDie(Settle("first", TwinCache(""), [] { return false; }));
  extend_to_ = 24;
  const AnchorEvent twin = ValueOrDie(Settle("extended", TwinCache(""), [] { return false; }));
  const std::vector<AnchorReading>& readings = twin.anchor.readings;
  ASSERT_EQ(readings.size(), 17U);
  EXPECT_TRUE(
      std::equal(first.anchor.readings.begin(), first.anchor.readings.end(), readings.begin()));
  EXPECT_EQ(readings[8].batches, 8);
  for (int i = 1; i < kTwinReadings; ++i) {
    EXPECT_EQ(readings[static_cast<std::size_t>(8 + i)].batches, 8 + 2 * i);
  }
  EXPECT_NE(readings[16].loss, readings[8].loss) << "it trained";
  EXPECT_EQ(twin.anchor.of_first_budget, 9);
  EXPECT_EQ(ReferenceReading(twin.anchor), first.anchor.readings.back());
  EXPECT_NE(twin.sha256, first.sha256);
  EXPECT_NE(twin.losses_sha256, first.losses_sha256);
}

TEST_F(TwinTest, IsReadOnceWhereNothingTrains) {
  search_.config.train_batches = 0;
  const AnchorEvent twin = ValueOrDie(Settle("s", TwinCache(""), [] { return false; }));
  ASSERT_EQ(twin.anchor.readings.size(), 1U);
  EXPECT_EQ(twin.anchor.readings.front().batches, 0);
  EXPECT_EQ(twin.sha256, "");
}

class InterruptedTwinTest : public TwinTest, public testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(AsItBeganAndExtended, InterruptedTwinTest, testing::Values(0, 24));

// Stopped again and again, it goes on from the last reading in the cache, to the same end.
TEST_P(InterruptedTwinTest, GoesOnFromTheCacheAfterAnInterruption) {
  search_.config.measurements = 8;
  extend_to_ = GetParam();
  const AnchorEvent calm = ValueOrDie(Settle("calm", TwinCache(""), [] { return false; }));
  const TwinCache cache(folder_.Path("twins"));
  int interruptions = 0;
  for (int run = 0; run < 100; ++run) {
    int polls = 0;
    const Result<AnchorEvent> twin =
        Settle("run-" + std::to_string(run), cache, [&] { return ++polls > 12; });
    if (!twin.ok()) {
      EXPECT_EQ(twin.status().code(), StatusCode::kAborted);
      ++interruptions;
      continue;
    }
    EXPECT_EQ(ToJson(*twin), ToJson(calm));
    break;
  }
  EXPECT_GE(interruptions, 2);
  EXPECT_LT(interruptions, 100);
}

// A study is its file and its folder: another cache, or none, costs it nothing.
TEST_F(TwinTest, GoesOnFromTheStudyWhereThereIsNoCache) {
  search_.config.measurements = 8;
  const AnchorEvent calm = ValueOrDie(Settle("calm", TwinCache(""), [] { return false; }));
  const std::string unfinished = folder_.Path("cut") + "/study.db.files/unfinished";
  int interruptions = 0;
  for (int run = 0; run < 20; ++run) {
    std::filesystem::remove(folder_.Path("cut") + "/study.db");  // Settle() begins a log
    int polls = 0;
    const Result<AnchorEvent> twin = Settle("cut", TwinCache(""), [&] { return ++polls > 12; });
    if (!twin.ok()) {
      EXPECT_EQ(twin.status().code(), StatusCode::kAborted);
      EXPECT_TRUE(std::filesystem::exists(unfinished));
      ++interruptions;
      continue;
    }
    EXPECT_EQ(ToJson(*twin), ToJson(calm));
    EXPECT_FALSE(std::filesystem::exists(unfinished)) << "the log has it now";
    break;
  }
  EXPECT_GE(interruptions, 2);
  EXPECT_LT(interruptions, 20);
}

// Its training takes minutes, in which the study may be lost.
TEST_F(TwinTest, StopsAtTheNextReadingOnceAnotherProcessTookTheStudy) {
  search_.config.measurements = 8;
  int calm_polls = 0;
  ASSERT_TRUE(Settle("calm", TwinCache(""), [&] { return ++calm_polls < 0; }).ok());
  const std::string path = folder_.Path("taken") + "/study.db";
  int polls = 0;
  const Result<AnchorEvent> twin = Settle("taken", TwinCache(""), [&] {
    if (++polls != 3) return false;
    std::filesystem::remove(path + ".lock");
    const auto other = ValueOrDie(Study::OpenForResume(path));
    EXPECT_TRUE(AppendEvent(*other, EndEvent{"done"}).ok());
    EXPECT_TRUE(other->Close().ok());
    return false;
  });
  EXPECT_EQ(twin.status().code(), StatusCode::kAborted);
  EXPECT_THAT(twin.status().message(), testing::HasSubstr("another process has appended"));
  EXPECT_LT(2 * polls, calm_polls);
}

TEST_F(TwinTest, RefusesALearningRateAtWhichEvenEightBitsDiverge) {
  search_.config.learning_rate = 1e30;
  const Result<AnchorEvent> twin = Settle("s", TwinCache(""), [] { return false; });
  ASSERT_FALSE(twin.ok());
  EXPECT_EQ(twin.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(twin.status().message(), testing::HasSubstr("--learning-rate"));
}

}  // namespace
}  // namespace bitpilot
