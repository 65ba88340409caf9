#include "device_daemon/server/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

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

// Some systems let users make files that their group may write: the list that a first
// `echo ... >> authorized_agents` made there would be refused.
TEST(KeysTest, MakesAListThatOnlyItsOwnerWritesAndKeepsOneThatIsThere) {
  const TemporaryFolder folder;
  const std::string path = AuthorizedAgentsPath(folder.path());
  const mode_t old = umask(0002);
  EXPECT_TRUE(GenerateDaemonKeys(folder.path(), false).ok());
  umask(old);
  std::ofstream(path, std::ios::app) << "laptop " << MakeCurveKeys().public_key << "\n";
  EXPECT_EQ(ReadAgentList(folder.path())->agents.size(), 1U);
  ASSERT_TRUE(GenerateDaemonKeys(folder.path(), true).ok());
  EXPECT_EQ(ReadAgentList(folder.path())->agents.size(), 1U);
}

// What a package's daemon serves with: a key of its user, in a folder of root's.
TEST(KeysTest, GivesTheSecretToAnotherUserAndKeepsTheList) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may give a file to another user";
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder / "keys", false).ok());
  const SystemUser user{.name = "somebody", .uid = 54'321, .gid = 54'322};
  const Status status = GiveSecretKeyTo(user, folder / "keys");
  ASSERT_TRUE(status.ok()) << status.message();
  struct stat info {};
  ASSERT_EQ(stat(SecretKeyPath(folder / "keys").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 54'321U);
  EXPECT_EQ(info.st_gid, 54'322U);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_EQ(stat(AuthorizedAgentsPath(folder / "keys").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
  EXPECT_EQ(info.st_mode & 0777, 0644U);
  ASSERT_EQ(stat((folder / "keys").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 0U);
  EXPECT_EQ(info.st_mode & 0777, 0755U);
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

TEST(KeysTest, RefusesALinkInPlaceOfTheSecret) {
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder / "elsewhere", false).ok());
  ASSERT_TRUE(GenerateDaemonKeys(folder / "keys", false).ok());
  const std::string path = SecretKeyPath(folder / "keys");
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(symlink(SecretKeyPath(folder / "elsewhere").c_str(), path.c_str()), 0);
  const Status status = ReadDaemonKeys(folder / "keys").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("symbolic link"), std::string::npos) << status.message();
}

TEST(KeysTest, RefusesASecretOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file to another user";
  const TemporaryFolder folder;
  ASSERT_TRUE(GenerateDaemonKeys(folder.path(), false).ok());
  constexpr uid_t kNobody = 65'534;
  ASSERT_EQ(chown(SecretKeyPath(folder.path()).c_str(), kNobody, kNobody), 0);
  const Status status = ReadDaemonKeys(folder.path()).status();
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(status.message().find("belongs to user 65534"), std::string::npos) << status.message();
}

TEST(KeysTest, ReadsAgentsBesideCommentsAndEmptyLines) {
  const std::string one = MakeCurveKeys().public_key;
  const std::string two = MakeCurveKeys().public_key;
  const AgentList list =
      ParseAgentList("# lab\n\nlaptop " + one + "\n  desk\t" + two + "  \n#" + one + "\n");
  EXPECT_EQ(list.agents, (AuthorizedAgents{{one, {"laptop"}}, {two, {"desk"}}}));
  EXPECT_TRUE(list.problems.empty());
}

TEST(KeysTest, ReadsFilesThatAnEditorPutAByteOrderMarkBefore) {
  const TemporaryFolder folder;
  const Result<CurveKeys> made = GenerateDaemonKeys(folder.path(), false);
  ASSERT_TRUE(made.ok()) << made.status().message();
  std::ofstream(SecretKeyPath(folder.path())) << "\xef\xbb\xbf" << made->secret_key << "\r\n";
  const Result<CurveKeys> keys = ReadDaemonKeys(folder.path());
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_EQ(keys->public_key, made->public_key);
  const std::string key = MakeCurveKeys().public_key;
  const AgentList list = ParseAgentList("\xef\xbb\xbflaptop " + key + "\r\n");
  EXPECT_TRUE(list.problems.empty());
  EXPECT_EQ(list.agents, (AuthorizedAgents{{key, {"laptop"}}}));
}

TEST(KeysTest, NamesALineThatIsWrongAndKeepsTheOthers) {
  const std::string key = MakeCurveKeys().public_key;
  const std::string other = MakeCurveKeys().public_key;
  for (const std::string& line : {std::string("laptop"), "laptop " + key.substr(1),
                                  "laptop " + key + " more", "laptop \x01\x02" + key.substr(2)}) {
    const AgentList list = ParseAgentList("# first\n" + line + "\ndesk " + other);
    EXPECT_EQ(list.agents, (AuthorizedAgents{{other, {"desk"}}})) << line;
    ASSERT_EQ(list.problems.size(), 1U) << line;
    EXPECT_NE(list.problems[0].find("line 2 admits nobody"), std::string::npos) << list.problems[0];
  }
}

TEST(KeysTest, NamesAKeyThatIsListedTwice) {
  const std::string key = MakeCurveKeys().public_key;
  const AgentList list = ParseAgentList("a " + key + "\nb " + key);
  EXPECT_EQ(list.agents, (AuthorizedAgents{{key, {"a"}}}));
  ASSERT_EQ(list.problems.size(), 1U);
  EXPECT_NE(list.problems[0].find("line 2"), std::string::npos) << list.problems[0];
}

TEST(KeysTest, TakesAnEmptyOrMissingListForOneAndSaysHowToAuthorizeTheFirstAgent) {
  const TemporaryFolder folder;
  for (const bool with_file : {false, true}) {
    if (with_file) {
      std::ofstream(AuthorizedAgentsPath(folder.path())) << "# nobody\n";
      ASSERT_EQ(chmod(AuthorizedAgentsPath(folder.path()).c_str(), 0644), 0);
    }
    const Result<AgentList> list = ReadAgentList(folder.path());
    ASSERT_TRUE(list.ok()) << list.status().message();
    EXPECT_TRUE(list->agents.empty());
    ASSERT_EQ(list->problems.size(), 1U);
    EXPECT_NE(list->problems[0].find("NAME PUBLIC_KEY"), std::string::npos);
  }
}

TEST(KeysTest, RefusesAListThatOthersMayWrite) {
  const TemporaryFolder folder;
  const std::string path = AuthorizedAgentsPath(folder.path());
  std::ofstream(path) << "laptop " << MakeCurveKeys().public_key << "\n";
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(ReadAgentList(folder.path())->agents.size(), 1U);
  for (const mode_t mode : {0664, 0646}) {
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    const Status status = ReadAgentList(folder.path()).status();
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
    EXPECT_NE(status.message().find("chmod go-w " + path), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace bitpilot
