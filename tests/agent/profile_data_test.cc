#include "agent/profile/profile_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using testing::HasSubstr;

ProfileData SampleData() {
  ProfileData data;
  data.settings = {"resnet8", {2, 4, 8}, true};
  data.board.name = "local";
  data.board.cpu_model = "CPU";
  data.board.core = "implementer 0x41 part 0xd0b, capacity 1024, CPUs 4-7";
  data.board.isa = "avx2";
  data.board.backend = "kernels";
  data.board.daemon_build = "0.1";
  data.board.kernel_build = "aaaa";
  data.source = "measured";
  ProfileJobResult result;
  result.noisy = true;
  result.board_seconds = 1.0 / 3.0;
  result.uniform8 = {3.0, 2.9, 1.0, 1.0, 1.0, {1.0, 2.0}, {"a", "b"}};
  result.samples.push_back({1.0 / 3.0, 0.3, 0.7, 0.6, 0.8, {0.1, 0.2}, {"c", "d"}});
  data.results.push_back(result);
  return data;
}

TEST(ProfileDataTest, ComesBackFromItsFileBitForBit) {
  const nlohmann::json json = ToJson(SampleData());
  const auto read = ProfileDataFromJson(nlohmann::json::parse(json.dump()));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(ToJson(*read), json);
  EXPECT_EQ(read->settings, SampleData().settings);
  EXPECT_EQ(read->results.front().samples.front().latency_ns, 1.0 / 3.0);
  EXPECT_EQ(read->results.front().uniform8.kernels.back(), "b");
}

TEST(ProfileDataTest, RefusesContentThatChangedSinceItWasWritten) {
  nlohmann::json json = ToJson(SampleData());
  json["results"][0]["samples"][0]["latency_ns"] = 0.5;
  const auto read = ProfileDataFromJson(json);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), StatusCode::kDataCorrupt);
  EXPECT_THAT(read.status().message(), HasSubstr("checksum"));
}

TEST(ProfileDataTest, CountsTheBoardsTimeFromAnyResultOn) {
  ProfileData data = SampleData();
  data.results.front().board_seconds = 2.0;
  data.results.push_back(data.results.front());
  data.results.back().board_seconds = 0.5;
  EXPECT_EQ(data.board_seconds(), 2.5);
  const auto read = ProfileDataFromJson(ToJson(data));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->kept, 2U);
  EXPECT_EQ(read->board_seconds(1), 0.5);
  EXPECT_EQ(read->board_seconds(read->kept), 0.0);
}

TEST(ProfileDataTest, RefusesWhatItDidNotWrite) {
  const auto code = [](const nlohmann::json& json) {
    return ProfileDataFromJson(json).status().code();
  };
  EXPECT_EQ(code(nlohmann::json::parse("{", nullptr, false)), StatusCode::kDataCorrupt);
  EXPECT_EQ(code(nlohmann::json::array()), StatusCode::kDataCorrupt);
  EXPECT_EQ(code({{"format", "bitpilot-lut"}}), StatusCode::kDataCorrupt);
  const nlohmann::json good = ToJson(SampleData());
  for (const auto& [key, value] : good.items()) {
    nlohmann::json json = good;
    json.erase(key);
    EXPECT_EQ(code(json), StatusCode::kDataCorrupt) << key;
  }
  nlohmann::json newer = ToJson(SampleData());
  newer["version"] = 3;
  EXPECT_EQ(code(newer), StatusCode::kVersionMismatch);
}

TEST(ProfileDataTest, GoesOnOnlyOnTheSameBoardAndBuild) {
  const ProfileData data = SampleData();
  EXPECT_TRUE(CheckContinues(data, data.settings, data.board, "lut.json.unfinished").ok());
  const auto refused = [&](std::string BoardInfo::*member) {
    BoardInfo board = data.board;
    board.*member = "another";
    const Status status = CheckContinues(data, data.settings, board, "lut.json.unfinished");
    EXPECT_EQ(status.code(), StatusCode::kVersionMismatch);
    EXPECT_THAT(status.message(), HasSubstr(data.board.*member));
    EXPECT_THAT(status.message(), HasSubstr("\"another\""));
    EXPECT_THAT(status.message(), HasSubstr("remove lut.json.unfinished"));
  };
  refused(&BoardInfo::cpu_model);
  refused(&BoardInfo::core);
  refused(&BoardInfo::isa);
  refused(&BoardInfo::backend);
  refused(&BoardInfo::kernel_build);
  refused(&BoardInfo::daemon_build);
}

TEST(ProfileDataTest, GoesOnOnlyWithTheSameSettings) {
  const ProfileData data = SampleData();
  for (const ProfileSettings& settings :
       {ProfileSettings{"resnet20", {2, 4, 8}, true}, ProfileSettings{"resnet8", {2, 8}, true},
        ProfileSettings{"resnet8", {2, 4, 8}, false},
        ProfileSettings{"resnet8", {2, 4, 8}, true, /*bounded=*/true}}) {
    EXPECT_EQ(CheckContinues(data, settings, data.board, "x").code(), StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace bitpilot
