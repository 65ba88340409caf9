#include "device_daemon/worker/kernel_choices_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

TEST(KernelChoicesFileTest, KeepsChoicesOverARestart) {
  const TemporaryFolder folder;
  ASSERT_TRUE(MakeWorkerFolder(folder.path()).ok());
  EXPECT_EQ(ReadKernelChoices(folder.path(), "a core").size(), 0U);
  KernelChoices choices("a core");
  choices.Remember("a layer", "a kernel", 0.25);
  ASSERT_TRUE(WriteKernelChoices(folder.path(), choices).ok());
  const KernelChoices read = ReadKernelChoices(folder.path(), "a core");
  ASSERT_NE(read.Find("a layer"), nullptr);
  EXPECT_EQ(read.Find("a layer")->kernel, "a kernel");
  EXPECT_EQ(read.Find("a layer")->margin, 0.25);
}

// A daemon that measures on the big cores leaves what was timed on the little ones as it is.
TEST(KernelChoicesFileTest, KeepsTheChoicesOfEveryKindOfCore) {
  const TemporaryFolder folder;
  ASSERT_TRUE(MakeWorkerFolder(folder.path()).ok());
  KernelChoices little("little");
  little.Remember("a layer", "kernel 1", 0.25);
  ASSERT_TRUE(WriteKernelChoices(folder.path(), little).ok());
  KernelChoices big = ReadKernelChoices(folder.path(), "big");
  EXPECT_EQ(big.Find("a layer"), nullptr);
  big.Remember("a layer", "kernel 2", 0.25);
  ASSERT_TRUE(WriteKernelChoices(folder.path(), big).ok());
  EXPECT_EQ(ReadKernelChoices(folder.path(), "little").Find("a layer")->kernel, "kernel 1");
  EXPECT_EQ(ReadKernelChoices(folder.path(), "big").Find("a layer")->kernel, "kernel 2");
}

TEST(KernelChoicesFileTest, FindsWhatEarlierReleasesKept) {
  const TemporaryFolder folder;
  KernelChoices choices("a core");
  choices.Remember("a layer", "a kernel", 0.25);
  std::ofstream(folder.path() + "/kernel_choices") << choices.ToText();
  EXPECT_EQ(ReadKernelChoices(folder.path(), "a core").size(), 1U);
}

TEST(KernelChoicesFileTest, ForgetsWhatIsDamaged) {
  const TemporaryFolder folder;
  ASSERT_TRUE(MakeWorkerFolder(folder.path()).ok());
  KernelChoices choices("a core");
  choices.Remember("a layer", "a kernel", 0.25);
  ASSERT_TRUE(WriteKernelChoices(folder.path(), choices).ok());
  std::ofstream(folder.path() + "/worker/kernel_choices", std::ios::app) << "cut off";
  EXPECT_EQ(ReadKernelChoices(folder.path(), "a core").size(), 0U);
}

TEST(KernelChoicesFileTest, SaysWhereItCannotWrite) {
  const Status status = WriteKernelChoices("/nowhere/at/all", KernelChoices());
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/nowhere/at/all"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace bitpilot
