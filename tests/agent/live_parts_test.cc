#include "agent/session/live_parts.h"

#include <gtest/gtest.h>

namespace bitpilot {
namespace {

SearchConfig OnFleet() {
  SearchConfig config;
  config.device.clear();
  config.fleet = "fleet.toml";
  return config;
}

TEST(SharesThisMachineTest, IsSoOfThisMachinesOwnBoardAndOfAFleetsThatSaysSo) {
  BoardInfo board;
  board.backend = "kernels";
  SearchConfig local;
  local.device = "local:avx2";
  EXPECT_TRUE(SharesThisMachine(local, board));
  EXPECT_FALSE(SharesThisMachine(OnFleet(), board));
  board.shares_agent_host = true;
  EXPECT_TRUE(SharesThisMachine(OnFleet(), board));
}

TEST(SharesThisMachineTest, NobodyDisturbsAModel) {
  BoardInfo board;
  board.backend = "model";
  board.shares_agent_host = true;
  SearchConfig model;
  model.device = "model:slope.table";
  EXPECT_FALSE(SharesThisMachine(model, board));
  EXPECT_FALSE(SharesThisMachine(OnFleet(), board));
}

}  // namespace
}  // namespace bitpilot
