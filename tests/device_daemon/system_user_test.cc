#include "device_daemon/server/system_user.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

TEST(SystemUserTest, FindsAUserOfThisMachine) {
  const TemporaryFolder folder;
  std::ofstream(folder / "passwd") << "root:x:0:0:root:/root:/bin/sh\n"
                                      "bitpilotd:x:997:996::/var/lib/bitpilotd:/usr/sbin/nologin\n";
  const Result<SystemUser> user = FindSystemUser("bitpilotd", folder / "passwd");
  ASSERT_TRUE(user.ok()) << user.status().message();
  EXPECT_EQ(user->uid, 997U);
  EXPECT_EQ(user->gid, 996U);
}

TEST(SystemUserTest, NamesTheUserThatIsNotThere) {
  const TemporaryFolder folder;
  std::ofstream(folder / "passwd") << "root:x:0:0:root:/root:/bin/sh\n";
  const Status status = FindSystemUser("bitpilotd", folder / "passwd").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("there is no user 'bitpilotd'"));
  EXPECT_EQ(FindSystemUser("root", folder / "none").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitpilot
