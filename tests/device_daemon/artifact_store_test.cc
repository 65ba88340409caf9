#include "device_daemon/core/artifact_store.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tests/device_daemon/temporary_folder.h"
#include "tests/device_daemon/test_networks.h"
#include "tests/kernels/largest_allocation.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kQuotaBytes = 1 << 20;

// What this process had flushed to the disk, in order, by the name that it had then.
std::vector<std::string> flushed;
bool flushes_fail = false;

}  // namespace
}  // namespace bitpilot

// Stands between this program and the C library.
extern "C" int fsync(int descriptor) {
  std::error_code error;
  bitpilot::flushed.push_back(
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), error).string());
  if (bitpilot::flushes_fail) {
    errno = ENOSPC;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace bitpilot {
namespace {

class ArtifactStoreTest : public testing::Test {
 protected:
  ArtifactStore Open(std::uint64_t quota_bytes = kQuotaBytes) {
    Result<ArtifactStore> store = ArtifactStore::Open(folder_.path(), quota_bytes);
    EXPECT_TRUE(store.ok()) << store.status().message();
    return std::move(store).value();
  }

  static Result<ArtifactState> Prepare(ArtifactStore& store, const TestNetwork& network,
                                       const std::string& needed = "") {
    return store.Prepare(network.sha256, network.file.size(),
                         [&](std::string_view sha256) { return sha256 == needed; });
  }

  std::string PathOf(const TestNetwork& network) const {
    return folder_ / (Sha256Hex(network.file) + ".bpnet");
  }

  static Result<ArtifactState> Upload(ArtifactStore& store, const TestNetwork& network) {
    Result<ArtifactState> state = Prepare(store, network);
    while (state.ok() && !state->complete) {
      const std::uint64_t at = state->have_bytes;
      state = store.Append(network.sha256, at, network.file.substr(at, 10'000));
    }
    return state;
  }

  // No network at all, but bytes and their hash.
  static TestNetwork WithHash(std::string bytes) {
    TestNetwork made;
    made.file = std::move(bytes);
    const Sha256Digest digest = ComputeSha256(made.file);
    made.sha256.assign(digest.begin(), digest.end());
    return made;
  }

  std::set<std::string> Files() const {
    std::set<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(folder_.path())) {
      names.insert(file.path().filename().string());
    }
    return names;
  }

  TemporaryFolder folder_;
  const TestNetwork network_ = MakeTestNetwork(4, 1);
};

TEST_F(ArtifactStoreTest, StoresANetworkUnderItsHash) {
  ArtifactStore store = Open();
  EXPECT_FALSE(store.IsComplete(network_.sha256));
  const Result<ArtifactState> state = Upload(store, network_);
  ASSERT_TRUE(state.ok()) << state.status().message();
  EXPECT_TRUE(store.IsComplete(network_.sha256));
  EXPECT_TRUE(Files().contains(Sha256Hex(network_.file) + ".bpnet"));
  const Result<Network> back = ReadArtifact(folder_.path(), network_.sha256);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, network_.network);
}

// A name that is on the disk before the bytes is what a power cut makes of a network otherwise.
TEST_F(ArtifactStoreTest, FlushesAnUploadBeforeItsRenameAndTheFolderAfter) {
  ArtifactStore store = Open();
  flushed.clear();
  ASSERT_TRUE(Upload(store, network_).ok());
  const std::string hex = Sha256Hex(network_.file);
  EXPECT_EQ(flushed, (std::vector<std::string>{folder_ / (hex + ".part"), folder_.path()}));
}

TEST_F(ArtifactStoreTest, F13ContinuesAnUploadAfterARestart) {
  {
    ArtifactStore store = Open();
    ASSERT_TRUE(Prepare(store, network_).ok());
    ASSERT_TRUE(store.Append(network_.sha256, 0, network_.file.substr(0, 1'000)).ok());
  }
  ArtifactStore store = Open();
  EXPECT_EQ(Prepare(store, network_)->have_bytes, 1'000U);
  EXPECT_TRUE(Upload(store, network_)->complete);
}

// Of a full disk, the last step may be what fails.
TEST_F(ArtifactStoreTest, F12FinishesAnUploadThatTheDiskRefusedAtFirst) {
  const std::uint64_t last = network_.file.size() - 100;
  const std::string tail = network_.file.substr(last);
  const auto upload_but_not_finish = [&](ArtifactStore& store) {
    ASSERT_TRUE(Prepare(store, network_).ok());
    ASSERT_TRUE(store.Append(network_.sha256, 0, network_.file.substr(0, last)).ok());
    flushes_fail = true;
    const Result<ArtifactState> state = store.Append(network_.sha256, last, tail);
    flushes_fail = false;
    EXPECT_EQ(state.status().code(), StatusCode::kResourceExhausted);
    EXPECT_FALSE(store.IsComplete(network_.sha256));
  };
  {
    ArtifactStore store = Open();
    upload_but_not_finish(store);
    // The same chunk again.
    const Result<ArtifactState> again = store.Append(network_.sha256, last, tail);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_TRUE(again->complete);
    store.Drop(network_.sha256);
    upload_but_not_finish(store);
    flushes_fail = true;
    EXPECT_EQ(Prepare(store, network_).status().code(), StatusCode::kResourceExhausted);
    flushes_fail = false;
  }
  // Asked anew, also after a restart.
  ArtifactStore store = Open();
  const Result<ArtifactState> state = Prepare(store, network_);
  ASSERT_TRUE(state.ok()) << state.status().message();
  EXPECT_TRUE(state->complete);
  EXPECT_TRUE(ReadArtifact(folder_.path(), network_.sha256).ok());
}

TEST_F(ArtifactStoreTest, IsForItsOwnerOnly) {
  const std::string folder = folder_ / "new/store";
  ASSERT_TRUE(ArtifactStore::Open(folder, kQuotaBytes).ok());
  const auto rights = std::filesystem::status(folder).permissions();
  EXPECT_EQ(rights & std::filesystem::perms::all, std::filesystem::perms::owner_all);
}

TEST_F(ArtifactStoreTest, FindsCompleteNetworksAfterARestart) {
  {
    ArtifactStore store = Open();
    ASSERT_TRUE(Upload(store, network_).ok());
  }
  EXPECT_TRUE(Open().IsComplete(network_.sha256));
}

TEST_F(ArtifactStoreTest, TakesADuplicateChunkAsDone) {
  ArtifactStore store = Open();
  ASSERT_TRUE(Prepare(store, network_).ok());
  ASSERT_TRUE(store.Append(network_.sha256, 0, network_.file.substr(0, 1'000)).ok());
  const auto again = store.Append(network_.sha256, 0, network_.file.substr(0, 1'000));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->have_bytes, 1'000U);
}

TEST_F(ArtifactStoreTest, F36RefusesGapsOverlapsAndOverflowingOffsets) {
  ArtifactStore store = Open();
  EXPECT_EQ(store.Append(network_.sha256, 0, "x").status().code(), StatusCode::kInvalidArgument);
  const std::uint64_t total = network_.file.size();
  ASSERT_TRUE(Prepare(store, network_).ok());
  ASSERT_TRUE(store.Append(network_.sha256, 0, network_.file.substr(0, 1'000)).ok());
  for (const std::uint64_t offset : {std::uint64_t{500}, std::uint64_t{1'001}, total, total + 1,
                                     std::numeric_limits<std::uint64_t>::max(),
                                     std::numeric_limits<std::uint64_t>::max() - 99}) {
    EXPECT_EQ(store.Append(network_.sha256, offset, std::string(1'000, 'x')).status().code(),
              StatusCode::kInvalidArgument)
        << offset;
  }
  EXPECT_EQ(Prepare(store, network_)->have_bytes, 1'000U);
}

TEST_F(ArtifactStoreTest, F36DropsBytesThatDoNotHaveTheirHash) {
  ArtifactStore store = Open();
  TestNetwork wrong = network_;
  wrong.file[wrong.file.size() / 2] ^= 1;
  EXPECT_EQ(Upload(store, wrong).status().code(), StatusCode::kDataCorrupt);
  EXPECT_FALSE(store.IsComplete(network_.sha256));
  EXPECT_TRUE(Upload(store, network_).ok());
}

// What the bytes are is the worker's business, and so is what it costs to find out.
TEST_F(ArtifactStoreTest, CompletesWhateverHasItsHashAndLeavesDecodingToTheWorker) {
  ArtifactStore store = Open();
  const TestNetwork junk = WithHash("not a network");
  ASSERT_TRUE(Upload(store, junk).ok());
  EXPECT_TRUE(store.IsComplete(junk.sha256));
  EXPECT_EQ(ReadArtifact(folder_.path(), junk.sha256).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(ArtifactStoreTest, HoldsNoMoreThanAPieceOfTheFileInMemory) {
  const TestNetwork large = WithHash(RandomPixels(kQuotaBytes, 5));
  ArtifactStore store = Open();
  const Result<ArtifactState> all_but_last = [&] {
    EXPECT_TRUE(Prepare(store, large).ok());
    return store.Append(large.sha256, 0, large.file.substr(0, large.file.size() - 1));
  }();
  ASSERT_TRUE(all_but_last.ok()) << all_but_last.status().message();
  const std::string last = large.file.substr(large.file.size() - 1);
  ResetLargestAllocation();
  const Result<ArtifactState> state = store.Append(large.sha256, large.file.size() - 1, last);
  EXPECT_LE(LargestAllocation(), std::size_t{65'536});
  ASSERT_TRUE(state.ok()) << state.status().message();
  EXPECT_TRUE(state->complete);
}

TEST_F(ArtifactStoreTest, RefusesWhatIsLargerThanTheQuota) {
  ArtifactStore store = Open(1'000);
  EXPECT_EQ(Prepare(store, network_).status().code(), StatusCode::kResourceExhausted);
}

TEST_F(ArtifactStoreTest, MakesRoomWithTheLeastRecentlyUsed) {
  const TestNetwork second = MakeTestNetwork(4, 2);
  const TestNetwork third = MakeTestNetwork(4, 3);
  ArtifactStore store = Open(2 * network_.file.size() + 100);
  ASSERT_TRUE(Upload(store, network_).ok());
  ASSERT_TRUE(Upload(store, second).ok());
  store.Touch(network_.sha256);
  ASSERT_TRUE(Upload(store, third).ok());
  EXPECT_TRUE(store.IsComplete(network_.sha256));
  EXPECT_FALSE(store.IsComplete(second.sha256));
  EXPECT_TRUE(store.IsComplete(third.sha256));
  EXPECT_FALSE(Files().contains(Sha256Hex(second.file) + ".bpnet"));
}

// A search of weeks uploads tens of thousands of small networks.
TEST_F(ArtifactStoreTest, HoldsNoMoreThanSoManyFilesHoweverSmall) {
  const auto count = [&] {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path()),
                      std::filesystem::directory_iterator()));
  };
  { const ArtifactStore made = Open(); }
  const std::size_t others = count();  // its lock
  for (std::size_t i = 0; i < ArtifactStore::kMaxFiles + 100; ++i) {
    std::string name = std::to_string(i);
    name.insert(0, 64 - name.size(), '0');
    std::ofstream(folder_ / (name + ".bpnet")) << "n";
  }
  ArtifactStore store = Open();
  const TestNetwork network = MakeTestNetwork(4, 2);
  ASSERT_TRUE(Prepare(store, network).ok());
  EXPECT_EQ(count() - others, ArtifactStore::kMaxFiles - 1) << "one is to come";
  EXPECT_TRUE(store.Append(network.sha256, 0, network.file).value().complete);
  EXPECT_EQ(count() - others, ArtifactStore::kMaxFiles);
}

TEST_F(ArtifactStoreTest, KeepsWhatAJobNeedsHoweverLongAgoItWasUsed) {
  const TestNetwork second = MakeTestNetwork(4, 2);
  const TestNetwork third = MakeTestNetwork(4, 3);
  ArtifactStore store = Open(2 * network_.file.size() + 100);
  ASSERT_TRUE(Upload(store, network_).ok());
  ASSERT_TRUE(Upload(store, second).ok());
  ASSERT_TRUE(Prepare(store, third, /*needed=*/network_.sha256).ok());
  EXPECT_TRUE(store.IsComplete(network_.sha256));
  EXPECT_FALSE(store.IsComplete(second.sha256));
}

TEST_F(ArtifactStoreTest, RefusesAnUploadWhileJobsNeedAllThatIsHere) {
  ArtifactStore store = Open(network_.file.size() + 100);
  ASSERT_TRUE(Upload(store, network_).ok());
  const TestNetwork second = MakeTestNetwork(4, 2);
  EXPECT_EQ(Prepare(store, second, /*needed=*/network_.sha256).status().code(),
            StatusCode::kUnavailable);
  EXPECT_TRUE(store.IsComplete(network_.sha256));
  EXPECT_TRUE(Prepare(store, second).ok()) << "the job has ended";
}

// What a power cut can leave: the name without the bytes.
TEST_F(ArtifactStoreTest, F13TellsADamagedFileFromANetworkAndTakesItAgain) {
  for (const char* kind : {"empty", "cut off", "one bit"}) {
    SCOPED_TRACE(kind);
    ArtifactStore store = Open();
    ASSERT_TRUE(Upload(store, network_).ok());
    std::string damaged = network_.file;
    if (kind == std::string("one bit")) {
      damaged[damaged.size() / 2] ^= 1;
    } else {
      damaged.resize(kind == std::string("empty") ? 0 : 4'096);
    }
    std::ofstream(PathOf(network_), std::ios::binary) << damaged;
    EXPECT_EQ(ReadArtifact(folder_.path(), network_.sha256).status().code(),
              StatusCode::kDataCorrupt);
    store.Drop(network_.sha256);
    EXPECT_FALSE(store.IsComplete(network_.sha256));
    EXPECT_EQ(Prepare(store, network_)->have_bytes, 0U);
    ASSERT_TRUE(Upload(store, network_).ok());
    EXPECT_TRUE(ReadArtifact(folder_.path(), network_.sha256).ok());
  }
  EXPECT_EQ(ReadArtifact(folder_.path(), MakeTestNetwork(4, 9).sha256).status().code(),
            StatusCode::kNotFound);
}

TEST_F(ArtifactStoreTest, LetsOneDaemonUseAFolder) {
  const ArtifactStore store = Open();
  EXPECT_EQ(ArtifactStore::Open(folder_.path(), kQuotaBytes).status().code(),
            StatusCode::kUnavailable);
}

TEST_F(ArtifactStoreTest, LeavesForeignFilesAlone) {
  std::ofstream(folder_ / "notes.txt") << "mine";
  std::ofstream(folder_ / "short.bpnet") << "mine";
  ArtifactStore store = Open(network_.file.size());
  ASSERT_TRUE(Upload(store, network_).ok());
  EXPECT_TRUE(Files().contains("notes.txt"));
  EXPECT_TRUE(Files().contains("short.bpnet"));
}

}  // namespace
}  // namespace bitpilot
