#include "device_daemon/server/result_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "device_daemon/server/drain_file.h"
#include "proto/validation.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

v1::KeptResult KeptOf(char id) {
  v1::KeptResult kept;
  kept.set_user_id("alice");
  kept.set_fingerprint("of " + std::string(1, id));
  kept.mutable_result()->set_measure_id(std::string(kMeasureIdBytes, id));
  kept.mutable_result()->set_status(v1::CRASH);
  kept.mutable_result()->set_detail("signal 11");
  return kept;
}

class ResultStoreTest : public testing::Test {
 protected:
  void Store(char id) {
    const Status stored = store_.Store(std::string(kMeasureIdBytes, id), KeptOf(id));
    ASSERT_TRUE(stored.ok()) << stored.message();
  }
  std::string FileOf(char id) const {
    std::string hex;
    for (std::size_t i = 0; i < kMeasureIdBytes; ++i) {
      constexpr char kDigits[] = "0123456789abcdef";
      hex += kDigits[static_cast<unsigned char>(id) >> 4];
      hex += kDigits[id & 15];
    }
    return folder_ / ("results/" + hex + ".result");
  }

  const TemporaryFolder folder_;
  const ResultStore store_{folder_.path()};
  std::vector<std::string> problems_;
};

TEST_F(ResultStoreTest, GivesBackWhatItWasGiven) {
  EXPECT_TRUE(store_.Load(problems_).empty());
  Store('a');
  Store('b');
  const std::vector<v1::KeptResult> kept = store_.Load(problems_);
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].SerializeAsString(), KeptOf('a').SerializeAsString());
  store_.Drop(std::string(kMeasureIdBytes, 'a'));
  EXPECT_EQ(store_.Load(problems_).size(), 1U);
  EXPECT_TRUE(problems_.empty());
}

// Whatever a power cut left of the file, the result is as good as never stored.
TEST_F(ResultStoreTest, F13RemovesWhatAPowerCutLeftBehindAndSaysSo) {
  Store('a');
  Store('b');
  Store('c');
  fs::resize_file(FileOf('a'), 70);
  std::fstream(FileOf('b'), std::ios::in | std::ios::out).seekp(80) << 'X';
  std::ofstream(folder_ / "results/notes.txt") << "mine\n";
  const std::vector<v1::KeptResult> kept = store_.Load(problems_);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].fingerprint(), "of c");
  EXPECT_EQ(problems_.size(), 3U);
  EXPECT_FALSE(fs::exists(FileOf('a')));
}

// Else a file that was renamed would answer for another measurement.
TEST_F(ResultStoreTest, BelievesNoFileUnderAnotherName) {
  Store('a');
  fs::rename(FileOf('a'), FileOf('b'));
  EXPECT_TRUE(store_.Load(problems_).empty());
}

TEST_F(ResultStoreTest, RemembersThatTheBoardIsDrained) {
  EXPECT_FALSE(ReadDrain(folder_.path()).value());
  ASSERT_TRUE(WriteDrain(folder_.path(), "new heat sink").ok());
  EXPECT_EQ(ReadDrain(folder_.path()).value(), "new heat sink");
  ASSERT_TRUE(WriteDrain(folder_.path(), std::nullopt).ok());
  EXPECT_FALSE(ReadDrain(folder_.path()).value());
}

}  // namespace
}  // namespace bitpilot
