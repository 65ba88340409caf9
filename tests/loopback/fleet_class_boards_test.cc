// Classes whose boards are not what they were, with real daemons.
#include "agent/fleet/fleet_class_boards.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/device/local_daemon.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/text_file.h"

namespace bitpilot {
namespace {

class FleetClassBoardsTest : public testing::Test {
 protected:
  // A daemon that answers at once from a table.
  void StartModel(const std::string& name) {
    LocalDaemonOptions options;
    options.program = FindDaemonProgram().value();
    options.cost_table = ReadTextFile(BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost").value();
    options.fast = true;
    Result<std::unique_ptr<LocalDaemon>> daemon =
        LocalDaemon::Create(options, classes_.keys.public_key);
    ASSERT_TRUE(daemon.ok()) << daemon.status().message();
    BoardAddress address = (*daemon)->Address().value();
    address.name = name;
    address.tags = {"model"};
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

}  // namespace
}  // namespace bitpilot
