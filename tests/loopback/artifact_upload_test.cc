#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "agent/fleet/leased_board.h"
#include "agent/fleet/zmq_link.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

namespace fs = std::filesystem;

// Bytes of the upload that is under way.
std::uintmax_t PartialBytes(const std::string& store) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(store, error)) {
    if (entry.path().extension() == ".part") bytes += entry.file_size(error);
  }
  return bytes;
}

TEST(ArtifactUploadTest, F13AnUploadSurvivesTheDeathOfTheDaemon) {
  const AgentKeys keys = GenerateCurveKeys();
  const std::shared_ptr<LocalDaemon> daemon(StartDaemon(keys).process);
  Result<std::unique_ptr<Board>> board =
      OpenBoard("local", "loopback", keys, [daemon] { return daemon->Address(); }, {});
  ASSERT_TRUE(board.ok()) << board.status().message();

  const Network network = LargeNetwork(20, 1);
  const std::vector<std::uint8_t> images = RandomImages(network, 2, 1);
  const pid_t first_daemon = daemon->pid();
  std::uintmax_t bytes_at_death = 0;
  std::thread killer([&] {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (bytes_at_death < 2'000'000 && std::chrono::steady_clock::now() < deadline) {
      bytes_at_death = PartialBytes(daemon->directory() + "/store");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill(first_daemon, SIGKILL);
  });
  const auto logits = (*board)->Infer(network, images);
  killer.join();
  ASSERT_TRUE(logits.ok()) << logits.status().message();
  EXPECT_EQ(*logits, ReferenceLogits(network, images));
  EXPECT_GE(bytes_at_death, 2'000'000U);
  EXPECT_NE(daemon->pid(), first_daemon);
}

// A power cut can leave a file's name without its bytes, and no restart may be needed to get over
// that.
TEST(ArtifactUploadTest, ANetworkDamagedInTheStoreIsUploadedAgain) {
  const AgentKeys keys = GenerateCurveKeys();
  const std::shared_ptr<LocalDaemon> daemon(StartDaemon(keys).process);
  Result<std::unique_ptr<Board>> board =
      OpenBoard("local", "loopback", keys, [daemon] { return daemon->Address(); }, {});
  ASSERT_TRUE(board.ok()) << board.status().message();
  const Network network = SmallNetwork(31);
  const std::vector<std::uint8_t> images = RandomImages(network, 2, 1);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  ASSERT_TRUE((*board)->Infer(network, images).ok());
  const auto cut_off_all = [&daemon](std::uintmax_t bytes) {
    int files = 0;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(daemon->directory() + "/store")) {
      if (entry.path().extension() != ".bpnet") continue;
      fs::resize_file(entry.path(), bytes);
      ++files;
    }
    return files;
  };
  for (const std::uintmax_t bytes : {0, 100}) {
    ASSERT_EQ(cut_off_all(bytes), 1);
    const Result<Measurement> measurement = (*board)->Measure(job);
    ASSERT_TRUE(measurement.ok()) << measurement.status().message();
    EXPECT_TRUE(HasNumbers(measurement->status))
        << ToString(measurement->status) << ": " << measurement->detail;
    ASSERT_EQ(cut_off_all(bytes), 1);
    const auto logits = (*board)->Infer(network, images);
    ASSERT_TRUE(logits.ok()) << logits.status().message();
    EXPECT_EQ(*logits, ReferenceLogits(network, images));
  }
}

}  // namespace
}  // namespace bitpilot
