#include "device_daemon/worker/kernel_choices_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

TEST(KernelChoicesFileTest, KeepsChoicesOverARestart) {
  const TemporaryFolder folder;
  EXPECT_EQ(ReadKernelChoices(folder.path()).size(), 0U);
  KernelChoices choices;
  choices.Remember("a layer", "a kernel");
  ASSERT_TRUE(WriteKernelChoices(folder.path(), choices).ok());
  EXPECT_EQ(ReadKernelChoices(folder.path()).Find("a layer"), "a kernel");
}

TEST(KernelChoicesFileTest, ForgetsWhatIsDamaged) {
  const TemporaryFolder folder;
  KernelChoices choices;
  choices.Remember("a layer", "a kernel");
  ASSERT_TRUE(WriteKernelChoices(folder.path(), choices).ok());
  std::ofstream(folder.path() + "/kernel_choices", std::ios::app) << "cut off";
  EXPECT_EQ(ReadKernelChoices(folder.path()).size(), 0U);
}

TEST(KernelChoicesFileTest, SaysWhereItCannotWrite) {
  const Status status = WriteKernelChoices("/nowhere/at/all", KernelChoices());
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("/nowhere/at/all"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace bitpilot
