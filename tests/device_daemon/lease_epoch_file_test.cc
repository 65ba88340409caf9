#include "device_daemon/server/lease_epoch_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>

#include "tests/device_daemon/temporary_folder.h"
#include "tests/full_disk.h"

namespace bitpilot {
namespace {

TEST(LeaseEpochFileTest, StartsAtZeroAndKeepsWhatWasWritten) {
  const TemporaryFolder folder;
  EXPECT_EQ(*ReadLeaseEpoch(folder.path()), 0U);
  for (const std::uint64_t epoch : {std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()}) {
    ASSERT_TRUE(WriteLeaseEpoch(folder.path(), epoch).ok());
    EXPECT_EQ(*ReadLeaseEpoch(folder.path()), epoch);
  }
}

TEST(LeaseEpochFileTest, KeepsTheOldEpochOnAFullDisk) {
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteLeaseEpoch(folder.path(), 7).ok());
  {
    const FullDisk disk;
    EXPECT_EQ(WriteLeaseEpoch(folder.path(), 8).code(), StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(*ReadLeaseEpoch(folder.path()), 7U);
}

TEST(LeaseEpochFileTest, RefusesADamagedFile) {
  const TemporaryFolder folder;
  for (const char* text : {"", "12", "-1\n", "12x\n", "99999999999999999999\n", "rubbish\n"}) {
    std::ofstream(folder / "lease_epoch") << text;
    EXPECT_EQ(ReadLeaseEpoch(folder.path()).status().code(), StatusCode::kDataCorrupt) << text;
  }
}

}  // namespace
}  // namespace bitpilot
