#include "agent/fleet/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/full_disk.h"

namespace bitpilot {
namespace {

class AgentKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/keysXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern + "/keys";
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& file, const std::string& text) {
    std::ofstream(directory_ + "/" + file) << text;
  }

  std::string root_;
  std::string directory_;
};

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  return info.st_mode & 0777;
}

TEST_F(AgentKeysTest, ReadsBackWhatItCreated) {
  const Result<AgentKeys> created = CreateAgentKeys(directory_, false);
  ASSERT_TRUE(created.ok()) << created.status().message();
  EXPECT_EQ(created->public_key.size(), 40U);
  EXPECT_NE(created->public_key, created->secret_key);
  const Result<AgentKeys> read = ReadAgentKeys(directory_);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->public_key, created->public_key);
  EXPECT_EQ(read->secret_key, created->secret_key);
}

TEST_F(AgentKeysTest, ReadsKeysThatAnEditorPutAByteOrderMarkBefore) {
  const Result<AgentKeys> created = CreateAgentKeys(directory_, false);
  ASSERT_TRUE(created.ok()) << created.status().message();
  std::ofstream(directory_ + "/agent.key") << "\xef\xbb\xbf" << created->secret_key << "\r\n";
  std::ofstream(directory_ + "/agent.pub") << "\xef\xbb\xbf" << created->public_key << "\r\n";
  const Result<AgentKeys> read = ReadAgentKeys(directory_);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->public_key, created->public_key);
}

TEST_F(AgentKeysTest, KeepsTheSecretPrivate) {
  ASSERT_TRUE(CreateAgentKeys(directory_, false).ok());
  EXPECT_EQ(ModeOf(directory_), 0700U);
  EXPECT_EQ(ModeOf(directory_ + "/agent.key"), 0600U);
  ASSERT_EQ(chmod((directory_ + "/agent.key").c_str(), 0644), 0);
  const Result<AgentKeys> read = ReadAgentKeys(directory_);
  EXPECT_EQ(read.status().code(), StatusCode::kPermissionDenied);
  EXPECT_NE(read.status().message().find("chmod 600"), std::string::npos);
}

TEST_F(AgentKeysTest, ReplacesKeysOnlyWhenForced) {
  const Result<AgentKeys> first = CreateAgentKeys(directory_, false);
  ASSERT_TRUE(first.ok());
  const Result<AgentKeys> second = CreateAgentKeys(directory_, false);
  EXPECT_EQ(second.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadAgentKeys(directory_)->secret_key, first->secret_key);
  const Result<AgentKeys> third = CreateAgentKeys(directory_, true);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(third->secret_key, first->secret_key);
  EXPECT_EQ(ReadAgentKeys(directory_)->secret_key, third->secret_key);
  EXPECT_EQ(ModeOf(directory_ + "/agent.key"), 0600U);
}

TEST_F(AgentKeysTest, KeepsTheOldPairOnAFullDisk) {
  const Result<AgentKeys> old = CreateAgentKeys(directory_, false);
  ASSERT_TRUE(old.ok());
  Result<AgentKeys> replaced = AgentKeys{};
  {
    const FullDisk disk;
    replaced = CreateAgentKeys(directory_, true);
  }
  EXPECT_EQ(replaced.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(replaced.status().message().find("agent.key"), std::string::npos);
  const Result<AgentKeys> kept = ReadAgentKeys(directory_);
  ASSERT_TRUE(kept.ok()) << kept.status().message();
  EXPECT_EQ(kept->secret_key, old->secret_key);
  EXPECT_EQ(kept->public_key, old->public_key);
}

TEST_F(AgentKeysTest, SaysHowToMakeMissingKeys) {
  const Result<AgentKeys> read = ReadAgentKeys(directory_);
  EXPECT_EQ(read.status().code(), StatusCode::kNotFound);
  EXPECT_NE(read.status().message().find("bitpilot fleet keygen --keys " + directory_),
            std::string::npos);
}

// As a power cut leaves them that comes after one of the two files was replaced.
TEST_F(AgentKeysTest, TheSecretCountsAndThePublicFileIsMadeFromIt) {
  const Result<AgentKeys> created = CreateAgentKeys(directory_, false);
  ASSERT_TRUE(created.ok());
  const Result<AgentKeys> foreign = CreateAgentKeys(root_ + "/other", false);
  ASSERT_TRUE(foreign.ok());
  for (const bool is_there : {true, false}) {
    SCOPED_TRACE(is_there);
    Write("agent.pub", foreign->public_key + "\n");
    if (!is_there) std::filesystem::remove(directory_ + "/agent.pub");
    const Result<AgentKeys> read = ReadAgentKeys(directory_);
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->public_key, created->public_key);
    EXPECT_EQ(read->secret_key, created->secret_key);
    const Result<AgentKeys> mended = CreateAgentKeys(directory_, false);
    ASSERT_TRUE(mended.ok()) << mended.status().message();
    EXPECT_EQ(mended->secret_key, created->secret_key);
    std::string shown;
    std::ifstream(directory_ + "/agent.pub") >> shown;
    EXPECT_EQ(shown, created->public_key);
  }
  EXPECT_EQ(CreateAgentKeys(directory_, false).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(AgentKeysTest, RefusesDamagedKeys) {
  ASSERT_TRUE(CreateAgentKeys(directory_, false).ok());
  Write("agent.key", "not a key\n");
  EXPECT_EQ(ReadAgentKeys(directory_).status().code(), StatusCode::kDataCorrupt);
  Write("agent.key", "");
  EXPECT_EQ(ReadAgentKeys(directory_).status().code(), StatusCode::kDataCorrupt);
}

TEST_F(AgentKeysTest, NamesAFolderThatCannotBeMade) {
  const Result<AgentKeys> created = CreateAgentKeys("/proc/keys", false);
  ASSERT_FALSE(created.ok());
  EXPECT_NE(created.status().message().find("/proc/keys"), std::string::npos);
}

}  // namespace
}  // namespace bitpilot
