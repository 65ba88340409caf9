// The same over a real TCP that loses, reorders and splits packets: in a network namespace of its
// own, where the system allows one. Elsewhere these tests skip and say why; what they show is shown
// without rights by network_faults_test.cc.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "kernels/base/text_file.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/faults/fleet_faults_fixture.h"

namespace bitpilot {
namespace {

constexpr char kInside[] = "BITPILOT_IN_A_NETWORK_NAMESPACE";

class RealNetworkTest : public FleetFaultsTest {
 protected:
  // Runs `body` in a process of its own with a loopback interface of its own, which `setup` spoils.
  void InNamespace(const std::string& setup, const std::function<void()>& body) {
    if (getenv(kInside) != nullptr) return body();
    const std::string begin = "unshare --map-root-user --net sh -c 'ip link set lo up && " + setup;
    const TemporaryFolder folder;
    if (std::system((begin + "' > " + (folder / "said") + " 2>&1").c_str()) != 0) {
      const Result<std::string> said = ReadTextFile(folder / "said");
      GTEST_SKIP() << "this system lets us have no network namespace with `" << setup
                   << "`: " << (said.ok() ? *said : said.status().message());
    }
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    setenv(kInside, "1", /*overwrite=*/1);
    const int status =
        std::system((begin + " && exec \"$0\" --gtest_filter=RealNetworkTest." + name + "' '" +
                     std::filesystem::read_symlink("/proc/self/exe").string() + "'")
                        .c_str());
    unsetenv(kInside);
    EXPECT_EQ(status, 0) << "see its output above";
  }

  static void Spoil(const std::string& how) {
    EXPECT_EQ(std::system(("tc qdisc replace dev lo root netem " + how).c_str()), 0);
  }
};

TEST_F(RealNetworkTest, F20MeasuresOnceThroughARealPartition) {
  InNamespace("tc qdisc add dev lo root netem delay 1ms", [this] {
    Site& site = AddSite(/*fast=*/false, /*direct=*/true);
    const JobId job = Submit(0, Tier::kStandard);
    ASSERT_TRUE(WaitFor([&] { return !site.Started().empty(); }));
    Spoil("loss 100%");
    EXPECT_TRUE(WaitFor([&] { return fleet_.Boards()[0].state == fleet::BoardState::kAway; }));
    Spoil("delay 1ms");
    ExpectMeasured(job);
    ExpectEachRanOnce(site, 1);
  });
}

TEST_F(RealNetworkTest, F22MeasuresThroughLossAndReordering) {
  InNamespace("tc qdisc add dev lo root netem delay 20ms 10ms loss 5% reorder 1%", [this] {
    Site& site = AddSite(/*fast=*/true, /*direct=*/true);
    for (int i = 0; i < 10; ++i) ExpectMeasured(Submit());
    ExpectEachRanOnce(site, 10);
  });
}

TEST_F(RealNetworkTest, F27MeasuresThroughSmallPackets) {
  InNamespace("ip link set lo mtu 576", [this] {
    Site& site = AddSite(/*fast=*/true, /*direct=*/true);
    for (int i = 0; i < 3; ++i) ExpectMeasured(Submit());
    ExpectEachRanOnce(site, 3);
  });
}

}  // namespace
}  // namespace bitpilot
