// Classes whose boards are not what they were, with real daemons.
#include "agent/fleet/fleet_class_boards.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "agent/device/local_daemon.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/text_file.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

class FleetClassBoardsTest : public testing::Test {
 protected:
  // A daemon that answers at once from a table.
  void StartModel(const std::string& name, const std::vector<std::string>& tags = {"model"}) {
    LocalDaemonOptions options;
    options.program = FindDaemonProgram().value();
    options.cost_table = ReadTextFile(BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost").value();
    options.fast = true;
    Result<std::unique_ptr<LocalDaemon>> daemon =
        LocalDaemon::Create(options, classes_.keys.public_key);
    ASSERT_TRUE(daemon.ok()) << daemon.status().message();
    BoardAddress address = (*daemon)->Address().value();
    address.name = name;
    address.tags = tags;
    classes_.boards.push_back(std::move(address));
    daemons_.push_back(std::move(*daemon));
  }

  FleetClasses classes_{{}, GenerateCurveKeys()};
  std::vector<std::unique_ptr<LocalDaemon>> daemons_;
};

TEST_F(FleetClassBoardsTest, EndsAStudyNoneOfWhoseBoardsIsWhatItWas) {
  StartModel("a");
  StartModel("b");
  FleetClassOptions options;
  {
    const auto boards = OpenFleetClasses(classes_, {"model"}, options);
    ASSERT_TRUE(boards.ok()) << boards.status().message();
    options.expected["model"] = (*boards)->BoardOf("model").info();
  }
  ASSERT_TRUE(OpenFleetClasses(classes_, {"model"}, options).ok()) << "they are what they were";
  options.expected["model"].daemon_build = "an earlier one";
  const auto boards = OpenFleetClasses(classes_, {"model"}, options);
  ASSERT_FALSE(boards.ok());
  EXPECT_EQ(boards.status().code(), StatusCode::kVersionMismatch);
  for (const char* part : {"'a' is LEFT_OUT (daemon build is ", "'b' is LEFT_OUT (daemon build is ",
                           "was an earlier one"}) {
    EXPECT_NE(boards.status().message().find(part), std::string::npos) << boards.status().message();
  }
}

// Left out of one, and measuring for the other: the first may still go on with it for want of others.
TEST_F(FleetClassBoardsTest, ABoardThatWorksForAnotherClassIsLeftOutOfTheOneThatItWasJudgedOutOf) {
  StartModel("a", {"x", "y"});
  StartModel("b", {"x", "y"});
  const auto boards = OpenFleetClasses(classes_, {"x", "y"}, FleetClassOptions{});
  ASSERT_TRUE(boards.ok()) << boards.status().message();
  const auto a = [&](const std::string& on) { return (*boards)->Members(on).front(); };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto wait_until_a_is = [&](const std::string& on, ClassMember::State state) {
    while (a(on).state != state && std::chrono::steady_clock::now() < deadline) {
    }
    return a(on).state == state;
  };
  for (const char* on : {"x", "y"}) {
    ASSERT_TRUE(wait_until_a_is(on, ClassMember::State::kWaits)) << on;
  }
  (*boards)->Judge("y", a("y"), /*is_pooled=*/true, "");
  (*boards)->Judge("x", a("x"), /*is_pooled=*/false, "its ratios scatter by 4.3 %");
  EXPECT_TRUE(wait_until_a_is("y", ClassMember::State::kWorks));
  EXPECT_TRUE(wait_until_a_is("x", ClassMember::State::kLeftOut));
  (*boards)->Judge("x", a("x"), /*is_pooled=*/true, "");
  EXPECT_TRUE(wait_until_a_is("x", ClassMember::State::kWorks));
}

// One that is not listed any more.
TEST_F(FleetClassBoardsTest, WhatIsAskedOfNobodyIsLostAtOnce) {
  StartModel("a");
  const auto boards = OpenFleetClasses(classes_, {"model"}, FleetClassOptions{});
  ASSERT_TRUE(boards.ok()) << boards.status().message();
  const Network network = SmallNetwork(1);
  const Result<MeasureNumber> number =
      (*boards)->StartOn("model", "b", {.networks = {&network}, .tier = Tier::kScreen});
  ASSERT_TRUE(number.ok()) << number.status().message();
  const auto answer = (*boards)->TakeAnswer();
  ASSERT_TRUE(answer.ok() && *answer);
  EXPECT_TRUE((*answer)->is_lost);
}

}  // namespace
}  // namespace bitpilot
