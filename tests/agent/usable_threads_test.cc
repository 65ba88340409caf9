#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "agent/qat/compute_threads.h"
#include "tests/agent/study_fixture.h"

namespace bitpilot {
namespace {

class UsableThreadsTest : public testing::Test {
 protected:
  int Usable() const { return UsableComputeThreads(cgroups_.Path("")); }

  StudyFolder cgroups_;
};

TEST_F(UsableThreadsTest, AreAsManyAsTheQuotaOfTheContainerComesTo) {
  const int without_quota = Usable();
  ASSERT_GE(without_quota, 1);
  WriteBytes(cgroups_.Path("cpu.max"), "max 100000\n");
  EXPECT_EQ(Usable(), without_quota);
  WriteBytes(cgroups_.Path("cpu.max"), "80000 100000\n");
  EXPECT_EQ(Usable(), 1);
  WriteBytes(cgroups_.Path("cpu.max"), "100001 100000\n");
  EXPECT_EQ(Usable(), std::min(2, without_quota));
}

TEST_F(UsableThreadsTest, KnowTheQuotaOfTheFirstVersionOfControlGroups) {
  const int without_quota = Usable();
  std::filesystem::create_directory(cgroups_.Path("cpu"));
  WriteBytes(cgroups_.Path("cpu/cpu.cfs_period_us"), "100000\n");
  WriteBytes(cgroups_.Path("cpu/cpu.cfs_quota_us"), "-1\n");
  EXPECT_EQ(Usable(), without_quota);
  WriteBytes(cgroups_.Path("cpu/cpu.cfs_quota_us"), "50000\n");
  EXPECT_EQ(Usable(), 1);
}

TEST_F(UsableThreadsTest, ReadWhatIsNoNumberAsNoQuota) {
  const int without_quota = Usable();
  WriteBytes(cgroups_.Path("cpu.max"), "nonsense\n");
  EXPECT_EQ(Usable(), without_quota);
}

}  // namespace
}  // namespace bitpilot
