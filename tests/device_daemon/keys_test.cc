#include "device_daemon/server/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "kernels/base/file_io.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/full_disk.h"

namespace bitpilot {
namespace {

TEST(KeysTest, WritesASecretThatOnlyTheOwnerReads) {
  const TemporaryFolder folder;
  const Result<CurveKeys> made = GenerateDaemonKeys(folder / "keys", false);
  ASSERT_TRUE(made.ok()) << made.status().message();
  struct stat info {};
  ASSERT_EQ(stat(SecretKeyPath(folder / "keys").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  const Result<CurveKeys> read = ReadDaemonKeys(folder / "keys");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->public_key, made->public_key);
  EXPECT_EQ(read->secret_key, made->secret_key);
}

TEST(KeysTest, ReplacesKeysOnlyWhenForced) {
  const TemporaryFolder folder;
  const std::string first = GenerateDaemonKeys(folder.path(), false)->public_key;
  EXPECT_EQ(GenerateDaemonKeys(folder.path(), false).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadDaemonKeys(folder.path())->public_key, first);
  ASSERT_TRUE(GenerateDaemonKeys(folder.path(), true).ok());
  EXPECT_NE(ReadDaemonKeys(folder.path())->public_key, first);
}

TEST(KeysTest, KeepsTheOldPairOnAFullDisk) {
  const TemporaryFolder folder;
  const std::string first = GenerateDaemonKeys(folder.path(), false)->public_key;
  {
    const FullDisk disk;
    EXPECT_EQ(GenerateDaemonKeys(folder.path(), true).status().code(),
              StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(ReadDaemonKeys(folder.path())->public_key, first);
  EXPECT_EQ(*ReadFile(PublicKeyPath(folder.path())), first + "\n");
}

TEST(KeysTest, SaysHowToMakeAMissingKey) {
  const TemporaryFolder folder;
  const Status status = ReadDaemonKeys(folder.path()).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("bitpilotd keygen --keys " + folder.path()), std::string::npos);
}

TEST(KeysTest, RefusesASecretThatOthersMayRead) {
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder.path(), false).ok());
  ASSERT_EQ(chmod(SecretKeyPath(folder.path()).c_str(), 0640), 0);
  EXPECT_EQ(ReadDaemonKeys(folder.path()).status().code(), StatusCode::kPermissionDenied);
}

TEST(KeysTest, RefusesADamagedSecret) {
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder.path(), false).ok());
  std::ofstream(SecretKeyPath(folder.path())) << "rubbish\n";
  EXPECT_EQ(ReadDaemonKeys(folder.path()).status().code(), StatusCode::kDataCorrupt);
}

TEST(KeysTest, ReadsAgentsBesideCommentsAndEmptyLines) {
  const std::string one = MakeCurveKeys().public_key;
  const std::string two = MakeCurveKeys().public_key;
  const Result<AuthorizedAgents> agents =
      ParseAuthorizedAgents("# lab\n\nlaptop " + one + "\n  desk\t" + two + "  \n#" + one + "\n");
  ASSERT_TRUE(agents.ok()) << agents.status().message();
  EXPECT_EQ(*agents, (AuthorizedAgents{{one, "laptop"}, {two, "desk"}}));
}

TEST(KeysTest, NamesTheLineThatIsWrong) {
  const std::string key = MakeCurveKeys().public_key;
  for (const std::string& line : {std::string("laptop"), "laptop " + key.substr(1),
                                  "laptop " + key + " more", "laptop \x01\x02" + key.substr(2)}) {
    const Status status = ParseAuthorizedAgents("# first\n" + line).status();
    EXPECT_EQ(status.code(), StatusCode::kDataCorrupt) << line;
    EXPECT_NE(status.message().find("line 2"), std::string::npos) << status.message();
  }
}

TEST(KeysTest, RefusesOneKeyUnderTwoNames) {
  const std::string key = MakeCurveKeys().public_key;
  EXPECT_EQ(ParseAuthorizedAgents("a " + key + "\nb " + key).status().code(),
            StatusCode::kDataCorrupt);
}

TEST(KeysTest, SaysHowToAuthorizeTheFirstAgent) {
  const TemporaryFolder folder;
  for (const bool with_file : {false, true}) {
    if (with_file) std::ofstream(AuthorizedAgentsPath(folder.path())) << "# nobody\n";
    const Status status = ReadAuthorizedAgents(folder.path()).status();
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    EXPECT_NE(status.message().find("NAME PUBLIC_KEY"), std::string::npos);
  }
}

}  // namespace
}  // namespace bitpilot
